// Starts `saga lsp` and shows the picture that it draws; all else is the language client's.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate(context) {
  const command = vscode.workspace.getConfiguration("saga").get("command");
  client = new LanguageClient(
    "saga",
    "saga",
    { command, args: ["lsp", "--stdio"] },
    { documentSelector: [{ language: "saga" }] },
  );
  context.subscriptions.push(vscode.commands.registerCommand("saga.showGraph", showGraph));
  await client.start();
}

async function showGraph() {
  const document = vscode.window.activeTextEditor?.document;
  if (document?.languageId !== "saga") {
    return;
  }
  try {
    const svg = await client.sendRequest("workspace/executeCommand", {
      command: "saga.graph",
      arguments: [document.uri.toString()],
    });
    const panel = vscode.window.createWebviewPanel("saga.graph", "saga", vscode.ViewColumn.Beside, {});
    // The picture has no scripts, and none may run.
    const policy = "default-src 'none'; style-src 'unsafe-inline'";
    panel.webview.html = `<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="${policy}">${svg}`;
  } catch (error) {
    vscode.window.showErrorMessage(error.message);
  }
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
