//! The language server: the Language Server Protocol over [`crate::editor`].
//!
//! One thread takes one message after the other; a text of any size that the language takes is checked within
//! milliseconds. Findings are published once no message is waiting, so fast typing checks only the last text.

mod convert;
mod desk;
mod rename;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gen_lsp_types as lsp;
use lsp_server::{Connection, ErrorCode, Message, Notification, ProtocolError, Request, Response, ResponseError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::desk::{Around, Desk, Open};
use crate::editor::Document;

/// The command that draws a saga: arguments are the document's URI and, where it has several, the saga's name; the
/// result is an SVG.
pub const GRAPH: &str = "saga.graph";

/// What an editor says when files have changed on disk.
const FILES_CHANGED: &str = "workspace/didChangeWatchedFiles";

/// Documents that are held at once; more are not looked at. Editors open as many as people do.
const DOCUMENTS_MAX: usize = 1_000;

/// Serves one editor until it says good-bye or goes away.
///
/// # Errors
/// The editor does not keep to the protocol.
pub fn serve(connection: &Connection) -> Result<(), ProtocolError> {
    let (id, editor) = connection.initialize_start()?;
    let about = json!({ "name": "saga", "version": env!("CARGO_PKG_VERSION") });
    connection.initialize_finish(id, json!({ "capabilities": capabilities(), "serverInfo": about }))?;
    if let Some(request) = watches(&editor)
        && connection.sender.send(Message::Request(request)).is_err()
    {
        return Ok(());
    }
    let mut server = Server::default();
    for message in &connection.receiver {
        match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request)? {
                    return Ok(());
                }
                let response = server.answer(request);
                if connection.sender.send(Message::Response(response)).is_err() {
                    return Ok(());
                }
            }
            Message::Notification(notification) => server.hear(notification),
            // An editor that will not watch files says so; it is asked nothing else.
            Message::Response(_) => {}
        }
        if connection.receiver.is_empty() {
            for published in server.published() {
                if connection.sender.send(Message::Notification(published)).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Asks the editor to tell of files that change on disk, if it can: those that documents use may not be open in it.
fn watches(editor: &Value) -> Option<Request> {
    let can = editor.pointer("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
    can.filter(|can| **can == json!(true))?;
    let watchers = ["**/*.{saga,yaml,yml}", "**/saga.toml"].map(|pattern| json!({ "globPattern": pattern }));
    let registration = json!({ "id": "files", "method": FILES_CHANGED, "registerOptions": { "watchers": watchers } });
    let params = json!({ "registrations": [registration] });
    Some(Request { id: "files".to_owned().into(), method: "client/registerCapability".to_owned(), params })
}

fn capabilities() -> lsp::ServerCapabilities {
    let letters = [".", "\"", "{", ",", " "].map(ToOwned::to_owned).to_vec();
    lsp::ServerCapabilities {
        position_encoding: Some(lsp::PositionEncodingKind::UTF16),
        text_document_sync: Some(lsp::TextDocumentSyncKind::Full.into()),
        completion_provider: Some(lsp::CompletionOptions { trigger_characters: Some(letters), ..Default::default() }),
        hover_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        references_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        document_formatting_provider: Some(true.into()),
        rename_provider: Some(lsp::RenameOptions { prepare_provider: Some(true), ..Default::default() }.into()),
        execute_command_provider: Some(lsp::ExecuteCommandOptions {
            commands: vec![GRAPH.to_owned()],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What the editor has open.
#[derive(Default)]
struct Server {
    documents: BTreeMap<String, Document>,
    /// Their texts, for those that use them.
    desk: Desk,
    /// Those whose findings the editor has not been told.
    unpublished: BTreeSet<String>,
    /// Documents that use others have not been read again since one changed.
    others_have_changed: bool,
}

/// Why a request is not answered.
struct Failure {
    code: ErrorCode,
    message: String,
}

impl Failure {
    fn wrong(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidParams, message: message.into() }
    }

    fn refused(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::RequestFailed, message: message.into() }
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Failure> {
    serde_json::from_value(params).map_err(|error| Failure::wrong(format!("these parameters do not fit: {error}")))
}

fn written(result: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(result).map_err(|error| Failure { code: ErrorCode::InternalError, message: error.to_string() })
}

impl Server {
    fn hear(&mut self, notification: Notification) {
        let params = notification.params;
        // Parameters that do not fit change nothing; there is nobody to tell.
        match notification.method.as_str() {
            "textDocument/didOpen" => {
                if let Ok(lsp::DidOpenTextDocumentParams { text_document: it }) = read(params) {
                    self.take(it.uri.0, &it.text);
                }
            }
            "textDocument/didChange" => {
                if let Ok(lsp::DidChangeTextDocumentParams { text_document: it, mut content_changes }) = read(params)
                    && let Some(lsp::TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole)) =
                        content_changes.pop()
                {
                    self.take(it.text_document_identifier.uri.0, &whole.text);
                }
            }
            "textDocument/didClose" => {
                if let Ok(lsp::DidCloseTextDocumentParams { text_document: it }) = read(params) {
                    self.documents.remove(&it.uri.0);
                    self.desk.retain(|_, open| open.uri != it.uri.0);
                    self.unpublished.insert(it.uri.0);
                    self.others_have_changed = true;
                }
            }
            // Which they are makes no difference: what is used is read from disk.
            FILES_CHANGED => self.others_have_changed = true,
            _ => {}
        }
    }

    fn take(&mut self, uri: String, text: &str) {
        let before = self.documents.get(&uri);
        if before.is_none() && self.documents.len() >= DOCUMENTS_MAX {
            return;
        }
        let text: Arc<str> = text.into();
        if let Some(path) = desk::path(&uri) {
            self.desk.insert(path, Open { uri: uri.clone(), text: Arc::clone(&text) });
        }
        let document = Document::new(&uri, &text, before, &Around::new(&self.desk, &uri));
        self.documents.insert(uri.clone(), document);
        self.unpublished.insert(uri);
        self.others_have_changed = true;
    }

    /// Reads again what may use a text that has changed.
    fn read_again(&mut self) {
        if !std::mem::take(&mut self.others_have_changed) {
            return;
        }
        for (uri, document) in self.documents.iter_mut().filter(|(_, document)| document.uses_others()) {
            let Some(text) = document.file().map(|file| Arc::clone(&file.text)) else { continue };
            *document = Document::new(uri, &text, Some(document), &Around::new(&self.desk, uri));
            self.unpublished.insert(uri.clone());
        }
    }

    /// The findings of what has changed; of what was closed, none.
    fn published(&mut self) -> Vec<Notification> {
        self.read_again();
        let changed = std::mem::take(&mut self.unpublished);
        changed
            .into_iter()
            .map(|uri| {
                let found = self.documents.get(&uri);
                let diagnostics = found.map(convert::findings).unwrap_or_default();
                let params = lsp::PublishDiagnosticsParams { uri: lsp::Uri(uri), version: None, diagnostics };
                Notification::new("textDocument/publishDiagnostics".to_owned(), params)
            })
            .collect()
    }

    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        match self.result(&method, params) {
            Ok(result) => Response { id, response_result: Ok(result) },
            Err(Failure { code, message }) => {
                Response { id, response_result: Err(ResponseError { code: code as i32, message, data: None }) }
            }
        }
    }

    fn result(&self, method: &str, params: Value) -> Result<Value, Failure> {
        match method {
            "textDocument/hover" => {
                let at: lsp::HoverParams = read(params)?;
                let (_, document, offset) = self.at(&at.text_document_position_params)?;
                written(&document.hover(offset).map(|hover| convert::hover(document, hover)))
            }
            "textDocument/definition" => {
                let at: lsp::DefinitionParams = read(params)?;
                let (_, document, offset) = self.at(&at.text_document_position_params)?;
                written(&document.definition(offset).map(|span| convert::location(document, span)))
            }
            "textDocument/references" => {
                let at: lsp::ReferenceParams = read(params)?;
                let (_, document, offset) = self.at(&at.text_document_position_params)?;
                let spans = document.occurrences(offset).into_iter();
                written(&spans.map(|span| convert::location(document, span)).collect::<Vec<_>>())
            }
            "textDocument/completion" => {
                let at: lsp::CompletionParams = read(params)?;
                let (_, document, offset) = self.at(&at.text_document_position_params)?;
                written(&document.completions(offset).into_iter().map(convert::completion).collect::<Vec<_>>())
            }
            "textDocument/prepareRename" => {
                let at: lsp::PrepareRenameParams = read(params)?;
                let (_, document, offset) = self.at(&at.text_document_position_params)?;
                written(&document.renameable(offset).map(|span| convert::range(document, span)))
            }
            "textDocument/rename" => {
                let at: lsp::RenameParams = read(params)?;
                let (uri, _, offset) = self.at(&at.text_document_position_params)?;
                written(&json!({ "changes": rename::rename(self, uri, offset, &at.new_name)? }))
            }
            "textDocument/formatting" => {
                let at: lsp::DocumentFormattingParams = read(params)?;
                let (_, document) = self.document(&at.text_document.uri)?;
                written(&document.formatted().map(|text| convert::whole(document, text)))
            }
            "textDocument/documentSymbol" => {
                let at: lsp::DocumentSymbolParams = read(params)?;
                let (_, document) = self.document(&at.text_document.uri)?;
                written(
                    &document.outline().into_iter().map(|entry| convert::entry(document, entry)).collect::<Vec<_>>(),
                )
            }
            "workspace/executeCommand" => {
                let asked: lsp::ExecuteCommandParams = read(params)?;
                if asked.command != GRAPH {
                    return Err(Failure::wrong(format!("there is no command `{}`: there is `{GRAPH}`", asked.command)));
                }
                let arguments = asked.arguments.unwrap_or_default();
                let word = |index: usize| arguments.get(index).and_then(|value| serde_json::to_value(value).ok());
                let uri = word(0).and_then(|uri| uri.as_str().map(ToOwned::to_owned));
                let uri = uri.ok_or_else(|| Failure::wrong(format!("`{GRAPH}` takes the URI of a document")))?;
                let (_, document) = self.document(&lsp::Uri(uri))?;
                let saga = word(1);
                let picture = document.picture(saga.as_ref().and_then(Value::as_str)).map_err(Failure::refused)?;
                written(&picture)
            }
            other => {
                let message = format!("`{other}` is not answered by this server");
                Err(Failure { code: ErrorCode::MethodNotFound, message })
            }
        }
    }

    fn document(&self, uri: &lsp::Uri) -> Result<(&str, &Document), Failure> {
        let found = self.documents.get_key_value(&uri.0);
        found
            .map(|(uri, document)| (uri.as_str(), document))
            .ok_or_else(|| Failure::wrong(format!("{} is not open", uri.0)))
    }

    fn at(&self, place: &lsp::TextDocumentPositionParams) -> Result<(&str, &Document, u32), Failure> {
        let (uri, document) = self.document(&place.text_document.uri)?;
        Ok((uri, document, convert::offset(document, place.position)))
    }
}
