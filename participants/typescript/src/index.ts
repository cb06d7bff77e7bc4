/**
 * A participant of sagas: handlers by the name of their command, behind the guard.
 *
 *   serve        a command's record -> Message -> Participant -> Message -> the reply's record
 *   Participant  Command -> transaction (claim, find) -> verdict -> handler -> settle, commit -> reply
 *   sqlite, postgres   the guard's SQL, for each database
 *
 * The guard's row is written in the transaction of the work, so that a command which comes twice, late, or behind its
 * own undo does its work at most once. docs/participants.md of the project explains the protocol.
 */
export { type Command, type Kind, type Message, Unreadable, readCommand, readMessage, writeMessage } from "./message.js";
export { Participant, Refusal, type Tell } from "./participant.js";
export { type Store, postgres, sqlite } from "./store.js";
export { type Service, serve } from "./kafka.js";
