//! The language server, driven as an editor drives it; what it answers with; the extension for VS Code.

mod editor;
mod uses;
mod vscode;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const URI: &str = "file:///order.saga";

/// A saga with a letter of two UTF-16 units before a name on its line.
const ORDER: &str = r#"/// Keeps things.
participant stock {
  /// Sets one aside.
  command Reserve { sku: string } returns { hold: string } fails "sold_out"
  command Release { hold: string? }
}
saga order {
  version 1
  input { sku: string }
  step reserve {
    call stock.Reserve { sku: "😀" + input.sku }
    compensate stock.Release { hold: reserve.hold }
  }
  output { hold: reserve.hold }
}
"#;

/// A server and its editor.
struct Editor {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: u64,
    /// What came unasked.
    heard: Vec<Value>,
}

impl Editor {
    fn open(text: &str) -> Self {
        let mut editor = Self::start();
        let document = json!({ "uri": URI, "languageId": "saga", "version": 1, "text": text });
        editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
        editor
    }

    /// One that has nothing open.
    fn start() -> Self {
        Self::able_to(&json!({}))
    }

    /// One that says what it can do.
    fn able_to(capabilities: &Value) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_saga"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut editor = Self { child, to, from, asked: 0, heard: Vec::new() };
        let about = editor
            .ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": capabilities }))
            .unwrap();
        assert_eq!(about["serverInfo"]["name"], "saga");
        assert_eq!(about["capabilities"]["positionEncoding"], "utf-16");
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.to.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: impl Into<Value>) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params.into() }));
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the server went away");
            if line == "\r\n" {
                break;
            }
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// The result, or the error.
    fn ask(&mut self, method: &str, params: impl Into<Value>) -> Result<Value, Value> {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params.into() }));
        loop {
            let message = self.read();
            if message["id"] == json!(id) {
                let error = &message["error"];
                return if error.is_null() { Ok(message["result"].clone()) } else { Err(error.clone()) };
            }
            self.heard.push(message);
        }
    }

    /// Asks about a place.
    fn ask_at(&mut self, method: &str, at: (u32, u32), more: impl Into<Value>) -> Result<Value, Value> {
        let mut params = json!({ "textDocument": { "uri": URI }, "position": { "line": at.0, "character": at.1 } });
        let Value::Object(more) = more.into() else { panic!("an object") };
        params.as_object_mut().unwrap().extend(more);
        self.ask(method, params)
    }

    fn change(&mut self, text: &str) {
        let document = json!({ "uri": URI, "version": 2 });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// The codes of the findings that are published next.
    fn findings(&mut self) -> Vec<Value> {
        loop {
            let message = if self.heard.is_empty() { self.read() } else { self.heard.remove(0) };
            if message["method"] == "textDocument/publishDiagnostics" {
                assert_eq!(message["params"]["uri"], URI);
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// Says good-bye.
    fn close(mut self) {
        self.ask("shutdown", Value::Null).unwrap();
        self.tell("exit", Value::Null);
        drop(self.to);
        assert!(self.child.wait().unwrap().success());
    }
}

/// Where the first `what` stands in `text`: line and UTF-16 units.
fn place(text: &str, what: &str) -> (u32, u32) {
    let at = text.find(what).unwrap_or_else(|| panic!("no {what}"));
    let before = text.split_at(at).0;
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    (u32::try_from(line).unwrap(), u32::try_from(column).unwrap())
}

#[test]
fn findings_are_told_as_one_types_and_taken_back() {
    let mut editor = Editor::open(ORDER);
    assert_eq!(editor.findings(), Vec::<Value>::new());
    editor.change(&ORDER.replace("reserve.hold }\n}", "reserve.hld }\n}"));
    let findings = editor.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["code"], "SG0206");
    assert_eq!(findings[0]["source"], "saga");
    assert_eq!(findings[0]["severity"], 1);
    assert_eq!(findings[0]["range"]["start"]["line"], 13);
    editor.change(ORDER);
    assert_eq!(editor.findings(), Vec::<Value>::new());
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(editor.findings(), Vec::<Value>::new());
    editor.close();
}

#[test]
fn places_are_counted_in_utf_16_units() {
    let mut editor = Editor::open(ORDER);
    let at = place(ORDER, "input.sku");
    // Right behind `input`: one unit further on it would be `sku`.
    let hover = editor.ask_at("textDocument/hover", (at.0, at.1 + 5), json!({})).unwrap();
    assert_eq!(hover["range"]["start"], json!({ "line": at.0, "character": at.1 }));
    assert_eq!(hover["range"]["end"], json!({ "line": at.0, "character": at.1 + 5 }));
    editor.change(&ORDER.replace("\"😀\" + input.sku", "\"😀\" + input.skk"));
    let findings: Vec<Value> = editor.findings().into_iter().chain(editor.findings()).collect();
    assert_eq!(findings[0]["range"]["start"], json!({ "line": at.0, "character": at.1 + 6 }), "{findings:?}");
    editor.close();
}

#[test]
fn names_lead_to_their_definitions_and_back() {
    let mut editor = Editor::open(ORDER);
    let (line, character) = place(ORDER, "Reserve { sku: \"");
    let hover = editor.ask_at("textDocument/hover", (line, character + 2), json!({})).unwrap();
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(text.contains("command stock.Reserve") && text.contains("Sets one aside."), "{text}");
    let defined = editor.ask_at("textDocument/definition", (line, character), json!({})).unwrap();
    assert_eq!(defined["uri"], URI);
    assert_eq!(defined["range"]["start"], json!({ "line": 3, "character": 10 }));
    let all = editor
        .ask_at("textDocument/references", (3, 12), json!({ "context": { "includeDeclaration": true } }))
        .unwrap();
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    assert_eq!(editor.ask_at("textDocument/hover", (0, 0), json!({})).unwrap(), Value::Null);
    editor.close();
}

#[test]
fn a_name_changes_everywhere_or_nowhere() {
    let mut editor = Editor::open(ORDER);
    let at = place(ORDER, "reserve {");
    let there = editor.ask_at("textDocument/prepareRename", at, json!({})).unwrap();
    assert_eq!(there["end"]["character"], at.1 + 7);
    let edits = editor.ask_at("textDocument/rename", at, json!({ "newName": "hold_it" })).unwrap();
    assert_eq!(edits["changes"][URI].as_array().unwrap().len(), 3, "{edits}");
    let refused = editor.ask_at("textDocument/rename", at, json!({ "newName": "step" })).unwrap_err();
    assert_eq!(refused["message"], "failed to rename to `step`: it is a word of the language");
    editor.close();
}

#[test]
fn the_layout_and_the_picture_are_made() {
    let messy = ORDER.replace("  version 1\n", "      version    1\n");
    let mut editor = Editor::open(&messy);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let edits =
        editor.ask("textDocument/formatting", json!({ "textDocument": { "uri": URI }, "options": options })).unwrap();
    assert_eq!(edits[0]["newText"], ORDER);
    let draw = json!({ "command": "saga.graph", "arguments": [URI] });
    let picture = editor.ask("workspace/executeCommand", draw.clone()).unwrap();
    assert!(picture.as_str().unwrap().starts_with("<svg"));
    editor.change("saga order {");
    let refused = editor.ask("workspace/executeCommand", draw).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("has errors"), "{refused}");
    let outline = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": URI } })).unwrap();
    assert_eq!(outline[0]["name"], "order");
    editor.close();
}

#[test]
fn what_makes_no_sense_is_answered_and_ends_nothing() {
    let mut editor = Editor::open(ORDER);
    assert_eq!(editor.ask("saga/nonsense", json!({})).unwrap_err()["code"], -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({ "place": 7 })).unwrap_err()["code"], -32602);
    let other = json!({ "textDocument": { "uri": "file:///other.saga" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", other).unwrap_err()["message"], "file:///other.saga is not open");
    let far = editor.ask_at("textDocument/completion", (9_999, 9_999), json!({})).unwrap();
    assert!(far.is_array());
    editor.tell("textDocument/didChange", json!({ "nonsense": true }));
    editor.close();
}

#[test]
fn an_editor_that_goes_away_ends_it() {
    let mut editor = Editor::open(ORDER);
    editor.findings();
    let Editor { mut child, to, from, .. } = editor;
    drop((to, from));
    assert!(child.wait().unwrap().success());
}
