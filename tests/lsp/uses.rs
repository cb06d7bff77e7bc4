//! Several files in an editor: what one uses is known in the other, on disk and as it is typed.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Editor;

const STOCK: &str = "/// Keeps things.
participant stock {
  command Reserve { sku: string } returns { hold: string }
  command Release { hold: string? }
}
";

const ORDER: &str = r#"use "stock.saga"
saga order {
  version 1
  step reserve {
    call stock.Reserve { sku: "a" }
    compensate stock.Release { hold: reserve.hold }
  }
}
"#;

/// The URIs of both files in a folder with an odd name.
fn desk() -> (TempDir, String, String) {
    let folder = TempDir::with_prefix("saga ü").unwrap();
    fs::write(folder.path().join("stock.saga"), STOCK).unwrap();
    let real = fs::canonicalize(folder.path()).unwrap();
    let uri =
        |name: &str| format!("file://{}/{name}", real.to_str().unwrap()).replace(' ', "%20").replace('ü', "%C3%BC");
    let uris = (uri("stock.saga"), uri("order.saga"));
    (folder, uris.0, uris.1)
}

fn open(editor: &mut Editor, uri: &str, text: &str) {
    let document = json!({ "uri": uri, "languageId": "saga", "version": 1, "text": text });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
}

fn change(editor: &mut Editor, uri: &str, text: &str) {
    let document = json!({ "uri": uri, "version": 2 });
    editor.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
}

/// The findings that are published for `uri`, once they are of that number.
fn findings(editor: &mut Editor, uri: &str, count: usize) -> Vec<Value> {
    loop {
        let message = if editor.heard.is_empty() { editor.read() } else { editor.heard.remove(0) };
        if message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri {
            let found = message["params"]["diagnostics"].as_array().unwrap().clone();
            if found.len() == count {
                return found;
            }
        }
    }
}

fn at(uri: &str, line: u32, character: u32) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}

#[test]
fn a_definition_is_found_in_the_file_that_has_it() {
    let (_folder, stock, order) = desk();
    let mut editor = Editor::start();
    open(&mut editor, &order, ORDER);
    assert_eq!(findings(&mut editor, &order, 0), Vec::<Value>::new());
    let defined = editor.ask("textDocument/definition", at(&order, 4, 10)).unwrap();
    assert_eq!((&defined["uri"], &defined["range"]["start"]["line"]), (&json!(stock), &json!(1)));
    let hover = editor.ask("textDocument/hover", at(&order, 4, 10)).unwrap();
    assert!(hover["contents"]["value"].as_str().unwrap().contains("Keeps things."), "{hover}");
    let used = editor.ask("textDocument/definition", at(&order, 0, 8)).unwrap();
    assert_eq!((&used["uri"], &used["range"]["start"]), (&json!(stock), &json!({ "line": 0, "character": 0 })));
    let all = json!({ "context": { "includeDeclaration": true } });
    let mut place = at(&order, 4, 10);
    place.as_object_mut().unwrap().extend(all.as_object().unwrap().clone());
    let all = editor.ask("textDocument/references", place).unwrap();
    let uris: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, [&order, &order, &stock]);
    editor.close();
}

/// What a rename changes: by file, the lines.
fn changed(edits: &Value) -> Vec<(String, Vec<u64>)> {
    let changes = edits["changes"].as_object().unwrap_or_else(|| panic!("{edits}"));
    let file = |uri: &String| uri.rsplit('/').next().unwrap().to_owned();
    let line = |edit: &Value| edit["range"]["start"]["line"].as_u64().unwrap();
    let lines = |edits: &Value| {
        let mut lines: Vec<u64> = edits.as_array().unwrap().iter().map(line).collect();
        lines.sort_unstable();
        lines
    };
    let mut found: Vec<_> = changes.iter().map(|(uri, edits)| (file(uri), lines(edits))).collect();
    found.sort();
    found
}

const CART: &str = "use: [ ../stock.saga ]
sagas:
  cart:
    version: 1
    sequence:
      - step: reserve
        call: stock.Reserve
        with: { sku: a }
        compensate: nothing
";

const TRIAL: &str = r#"use "../order.saga"
scenario "it is there" for order {
  when reserve replies { hold: "h" }
  expect calls reserve
}
"#;

#[test]
fn a_name_changes_in_all_files_that_know_it() {
    let (folder, stock, order) = desk();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    write("saga.toml", "");
    write("more/cart.yaml", CART);
    write("more/trial.saga", TRIAL);
    write("more/alone.saga", STOCK);
    write("order.saga", "this is not what the editor has");
    let mut editor = Editor::start();
    open(&mut editor, &order, ORDER);
    findings(&mut editor, &order, 0);
    let mut rename = |line: u32, character: u32, to: &str| {
        let mut params = at(&order, line, character);
        params["newName"] = json!(to);
        editor.ask("textDocument/rename", params)
    };
    let is = |file: &str, lines: &[u64]| (file.to_owned(), lines.to_vec());
    // The participant, from where it is used; one of that name in a file that has to do with none of them stays.
    let edits = rename(4, 10, "store").unwrap();
    assert_eq!(changed(&edits), [is("cart.yaml", &[6]), is("order.saga", &[4, 5]), is("stock.saga", &[1])]);
    assert!(edits["changes"].get(&stock).is_some(), "{edits}");
    // A step, which scenarios of another file know.
    assert_eq!(changed(&rename(3, 8, "hold_it").unwrap()), [is("order.saga", &[3, 5]), is("trial.saga", &[2, 3])]);
    // The name must be free everywhere, and all must be readable.
    write("more/cart.yaml", &format!("{CART}participants:\n  store: {{ command: {{ Take: {{ }} }} }}\n"));
    assert_eq!(rename(4, 10, "store").unwrap_err()["message"], "failed to rename to `store`: the name is taken");
    write("more/trial.saga", &format!("{TRIAL} scenario"));
    let refused = rename(3, 8, "hold_it").unwrap_err();
    let message = refused["message"].as_str().unwrap();
    assert!(message.ends_with("more/trial.saga knows the name and has errors; mend them first"), "{message}");
    editor.close();
}

#[test]
fn without_a_project_the_users_of_a_file_are_in_its_folder_and_above() {
    let (folder, stock, order) = desk();
    fs::write(folder.path().join("order.saga"), ORDER).unwrap();
    let mut editor = Editor::start();
    open(&mut editor, &stock, STOCK);
    let mut params = at(&stock, 1, 13);
    params["newName"] = json!("store");
    let edits = editor.ask("textDocument/rename", params).unwrap();
    assert_eq!(edits["changes"][&order].as_array().map(Vec::len), Some(2), "{edits}");
    editor.close();
}

#[test]
fn findings_follow_what_is_typed_in_another_file() {
    let (folder, stock, order) = desk();
    let mut editor = Editor::start();
    open(&mut editor, &order, ORDER);
    findings(&mut editor, &order, 0);
    open(&mut editor, &stock, STOCK);
    change(&mut editor, &stock, &STOCK.replace("sku: string", "sku: int"));
    let found = findings(&mut editor, &order, 1);
    assert_eq!((&found[0]["code"], &found[0]["range"]["start"]["line"]), (&json!("SG0301"), &json!(4)));
    // What is wrong over there stands at the `use`, and leads there.
    change(&mut editor, &stock, &STOCK.replace("sku: string", "sku: Sku"));
    let found = findings(&mut editor, &order, 1);
    assert_eq!((&found[0]["code"], &found[0]["range"]["start"]["line"]), (&json!("SG0202"), &json!(0)));
    assert_eq!(found[0]["relatedInformation"][0]["location"]["uri"], stock);
    // Closed without being saved, it is what is on disk.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": stock } }));
    findings(&mut editor, &order, 0);
    fs::remove_file(folder.path().join("stock.saga")).unwrap();
    change(&mut editor, &order, &format!("{ORDER}\n"));
    assert_eq!(findings(&mut editor, &order, 1)[0]["code"], "SG0221");
    editor.close();
}

#[test]
fn findings_follow_what_changes_on_disk() {
    let (folder, stock, order) = desk();
    let mut editor =
        Editor::able_to(&json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } }));
    // It asks for what it is told below.
    let asked = editor.read();
    assert_eq!(asked["method"], "client/registerCapability");
    let registered = &asked["params"]["registrations"][0];
    assert_eq!(registered["method"], "workspace/didChangeWatchedFiles");
    editor.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null }));
    open(&mut editor, &order, ORDER);
    findings(&mut editor, &order, 0);
    let told = |kind: u8| json!({ "changes": [{ "uri": stock, "type": kind }] });
    fs::write(folder.path().join("stock.saga"), STOCK.replace("sku: string", "sku: int")).unwrap();
    editor.tell("workspace/didChangeWatchedFiles", told(2));
    assert_eq!(findings(&mut editor, &order, 1)[0]["code"], "SG0301");
    fs::remove_file(folder.path().join("stock.saga")).unwrap();
    editor.tell("workspace/didChangeWatchedFiles", told(3));
    assert_eq!(findings(&mut editor, &order, 1)[0]["code"], "SG0221");
    fs::write(folder.path().join("stock.saga"), STOCK).unwrap();
    editor.tell("workspace/didChangeWatchedFiles", told(1));
    findings(&mut editor, &order, 0);
    editor.close();
}

#[test]
fn an_editor_that_cannot_watch_files_is_not_asked_to() {
    let mut editor = Editor::open(super::ORDER);
    assert_eq!(editor.read()["method"], "textDocument/publishDiagnostics");
    editor.close();
}

#[test]
fn a_text_that_is_no_file_uses_none() {
    let mut editor = Editor::start();
    open(&mut editor, "untitled:Untitled-1", ORDER);
    assert_eq!(findings(&mut editor, "untitled:Untitled-1", 1)[0]["code"], "SG0221");
    editor.close();
}
