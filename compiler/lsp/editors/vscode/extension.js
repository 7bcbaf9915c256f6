// The client: starts `vinci lsp` and shows what its lenses give.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const LANGUAGES = ["vinci", "vinci-tile", "vinci-asm"];
let client;
let output;

/** Starts the server; its path and the chip come from the settings. */
async function start() {
  const settings = vscode.workspace.getConfiguration("vinci");
  const run = { command: settings.get("path", "vinci"), args: ["lsp"] };
  client = new LanguageClient("vinci", "Vinci", { run, debug: run }, {
    documentSelector: LANGUAGES.map((language) => ({ language })),
    initializationOptions: { target: settings.get("target", "") },
    synchronize: {
      configurationSection: "vinci",
      fileEvents: vscode.workspace.createFileSystemWatcher("**/*.vn"),
    },
    middleware: {
      // Answers of commands are texts: reports go to the output, levels beside the source.
      executeCommand: async (command, args, next) => show(await next(command, args)),
    },
  });
  await client.start();
}

async function show(answer) {
  if (!answer || typeof answer.text !== "string") {
    return answer;
  }
  if (answer.language === "text") {
    output.clear();
    output.append(answer.text);
    output.show(true);
    return answer;
  }
  const document = await vscode.workspace.openTextDocument({ language: answer.language, content: answer.text });
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
  return answer;
}

async function activate(context) {
  output = vscode.window.createOutputChannel("Vinci run");
  context.subscriptions.push(output);
  context.subscriptions.push(
    vscode.commands.registerCommand("vinci.restart", async () => {
      await client?.stop();
      await start();
    }),
  );
  await start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
