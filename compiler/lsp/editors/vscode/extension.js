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
    initializationOptions: {
      target: settings.get("target", ""),
      sizes: settings.get("sizes", {}),
      // The answers of commands are shown by the middleware below.
      showsAnswers: true,
    },
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

/** Runs a command of the server for the kernel around the cursor, as its lens would. */
async function forKernelHere(command) {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.languageId !== "vinci") {
    return;
  }
  const uri = editor.document.uri;
  const lenses = await vscode.commands.executeCommand("vscode.executeCodeLensProvider", uri, 1000);
  const own = (lenses ?? []).filter((lens) => lens.command?.command === command);
  const above = own.filter((lens) => lens.range.start.line <= editor.selection.active.line);
  const lens = above.at(-1) ?? own[0];
  if (lens) {
    await vscode.commands.executeCommand(command, ...lens.command.arguments);
  }
}

async function activate(context) {
  output = vscode.window.createOutputChannel("Vinci run");
  context.subscriptions.push(output);
  context.subscriptions.push(
    vscode.commands.registerCommand("vinci.restart", async () => {
      await client?.stop();
      await start();
    }),
    vscode.commands.registerCommand("vinci.runHere", () => forKernelHere("vinci.run")),
    vscode.commands.registerCommand("vinci.showTileHere", () => forKernelHere("vinci.showTile")),
    vscode.commands.registerCommand("vinci.showAssemblyHere", () => forKernelHere("vinci.showAssembly")),
  );
  await start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
