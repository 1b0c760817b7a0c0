// Opens good.yaml and spoiled.yaml of a directory as an editor does, and judges what the language server says of them.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");

const home = path.resolve(process.argv[2]);
const server = spawn(path.join(home, "node_modules/.bin/yaml-language-server"), ["--stdio"], { cwd: home });
server.stderr.pipe(process.stderr);
setTimeout(() => fail("the language server did not answer within 60 s"), 60_000).unref();

const send = (message) => {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
};

const found = {};
let input = Buffer.alloc(0);
server.stdout.on("data", (data) => {
  input = Buffer.concat([input, data]);
  for (;;) {
    const head = input.indexOf("\r\n\r\n");
    const length = head < 0 ? NaN : Number(/Content-Length: (\d+)/.exec(input.subarray(0, head))[1]);
    if (!(input.length >= head + 4 + length)) return;
    const message = JSON.parse(input.subarray(head + 4, head + 4 + length));
    input = input.subarray(head + 4 + length);
    answer(message);
  }
});

function answer({ id, method, params }) {
  if (id === 1 && !method) {
    send({ method: "initialized", params: {} });
    ["good.yaml", "spoiled.yaml"].forEach(open);
  } else if (method === "workspace/configuration") {
    send({ id, result: params.items.map(() => ({ schemaStore: { enable: false } })) });
  } else if (method === "textDocument/publishDiagnostics") {
    found[path.basename(params.uri)] = params.diagnostics;
    if (found["good.yaml"] && found["spoiled.yaml"]) judge();
  } else if (method && id !== undefined) {
    send({ id, result: null });
  }
}

function open(name) {
  const file = path.join(home, name);
  const text = fs.readFileSync(file, "utf8");
  send({
    method: "textDocument/didOpen",
    params: { textDocument: { uri: `file://${file}`, languageId: "yaml", version: 1, text } },
  });
}

function judge() {
  const messages = (name) => found[name].map((one) => `${one.range.start.line + 1}: ${one.message.split("\n")[0]}`);
  const spoiled = messages("spoiled.yaml").join("\n");
  console.log(`the example: ${messages("good.yaml").length} problems; spoiled:\n${spoiled}`);
  if (found["good.yaml"].length > 0) fail(messages("good.yaml").join("\n"));
  for (const expected of ["Property evry is not allowed", 'Valid values: "any", "no_default"']) {
    if (!spoiled.includes(expected)) fail(`nothing says: ${expected}`);
  }
  end(0);
}

function fail(why) {
  console.error(`FAILED: ${why}`);
  end(1);
}

function end(code) {
  server.kill();
  process.exit(code);
}

send({
  id: 1,
  method: "initialize",
  params: { processId: process.pid, rootUri: `file://${home}`, capabilities: { workspace: { configuration: true } } },
});
