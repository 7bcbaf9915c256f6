// The grammar of the editor beside the words' classes of the compiler (semantic tokens of the server), on every file of the
// library: comments, numbers, texts, keywords, reductions and element types must be what they are there.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");
const [vinci, root] = process.argv.slice(2);

const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const grammars = join(root, "compiler/lsp/editors/vscode/syntaxes/vinci.tmLanguage.json");
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(grammars, "utf8"), grammars),
});
const grammar = await registry.loadGrammar("source.vinci");

// Which scopes a class of the compiler may have.
const SCOPES = {
  comment: ["comment."],
  number: ["constant.numeric", "constant.language"],
  string: ["string."],
  keyword: ["keyword.", "constant.language", "storage."],
  macro: ["keyword.other.reduction"],
  type: ["storage.type"],
};

const server = spawn(vinci, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
let bytes = Buffer.alloc(0);
const waiting = new Map();
server.stdout.on("data", (piece) => {
  bytes = Buffer.concat([bytes, piece]);
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/.exec(bytes.subarray(0, end).toString())[1]);
    if (bytes.length < end + 4 + length) return;
    const message = JSON.parse(bytes.subarray(end + 4, end + 4 + length).toString());
    bytes = bytes.subarray(end + 4 + length);
    waiting.get(message.id)?.(message.result);
  }
});
const send = (message) => {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
};
let next = 0;
const ask = (method, params) =>
  new Promise((resolve) => {
    next += 1;
    waiting.set(next, resolve);
    send({ id: next, method, params });
  });

const { capabilities } = await ask("initialize", { capabilities: {} });
const legend = capabilities.semanticTokensProvider.legend.tokenTypes;
send({ method: "initialized", params: {} });

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return files(path);
    return name.endsWith(".vn") ? [path] : [];
  });
}

let words = 0;
const wrong = [];
for (const path of files(join(root, "stdlib"))) {
  const text = readFileSync(path, "utf8");
  const uri = `file://${path}`;
  send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "vinci", version: 1, text } } });
  const { data } = await ask("textDocument/semanticTokens/full", { textDocument: { uri } });
  const scopes = [];
  let state = textmate.INITIAL;
  for (const line of text.split("\n")) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    scopes.push(tokens);
    state = ruleStack;
  }
  let [line, column] = [0, 0];
  for (let at = 0; at < data.length; at += 5) {
    column = data[at] === 0 ? column + data[at + 1] : data[at + 1];
    line += data[at];
    const wanted = SCOPES[legend[data[at + 3]]];
    if (!wanted) continue;
    words += 1;
    const token = scopes[line].find((token) => token.startIndex <= column && column < token.endIndex);
    const found = token?.scopes.at(-1) ?? "";
    if (!wanted.some((scope) => found.startsWith(scope))) {
      const word = text.split("\n")[line].slice(column, column + data[at + 2]);
      wrong.push(`${path}:${line + 1}: \`${word}\` is ${legend[data[at + 3]]}, the grammar has ${found}`);
    }
  }
  send({ method: "textDocument/didClose", params: { textDocument: { uri } } });
}
await ask("shutdown", null);
send({ method: "exit" });
if (wrong.length > 0) {
  console.log(wrong.slice(0, 20).join("\n"));
  console.log(`FAILED: ${wrong.length} of ${words} words`);
  process.exit(1);
}
console.log(`ok: the grammar has the classes of the compiler for ${words} words`);
