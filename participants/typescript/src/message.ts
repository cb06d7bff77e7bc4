/** Messages, and the commands that they hold. */

/** The names of headers, and what stands in `ce_type`. */
export const header = {
  specVersion: "ce_specversion",
  type: "ce_type",
  id: "ce_id",
  source: "ce_source",
  contentType: "content-type",
  traceparent: "traceparent",
  instance: "saga-instance",
  name: "saga-name",
  step: "saga-step",
  command: "saga-command",
  call: "saga-call",
  kind: "saga-kind",
  attempt: "saga-attempt",
  replyTo: "saga-reply-to",
  replyPartition: "saga-reply-partition",
  deadline: "saga-deadline",
  keepUntil: "saga-keep-until",
  status: "saga-status",
  code: "saga-code",
} as const;

const COMMAND_TYPE = "saga.command.v1";
export const REPLY_TYPE = "saga.reply.v1";

/** The largest payload, in bytes. */
export const PAYLOAD_MAX = 1 << 20;

/** As long as an id can be. */
const ID_MAX = 500;

/** A message on its way: the instance as its key, headers in their order, and JSON or nothing. */
export interface Message {
  readonly key: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: string;
}

/** What is asked. A message is done like a do, and nobody waits for its answer. */
export type Kind = "do" | "undo" | "query" | "message";

/** A command as its participant reads it. */
export interface Command {
  /** As it came. */
  readonly message: Message;
  /** One id for do, undo, query and all attempts: the key of the guard, and of work outside the database. */
  readonly id: string;
  /** Which command of the contract. */
  readonly call: string;
  readonly kind: Kind;
  /** 1, 2, 3 … */
  readonly attempt: number;
  /** After it nobody waits: milliseconds since 1970. */
  readonly deadline: number;
  /** The guard keeps its row so long. */
  readonly keepUntil: number;
  /** The request. */
  readonly request: unknown;
}

/** A message is no command: there is nobody to answer. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

/** Reads a command; throws `Unreadable` if a header is missing or wrong, or the payload is not JSON within its limit. */
export function readCommand(message: Message): Command {
  const type = required(message, header.type);
  if (type !== COMMAND_TYPE) throw new Unreadable(`the header ce_type is \`${type}\`, not ${COMMAND_TYPE}`);
  const id = required(message, header.command);
  if (Buffer.byteLength(id) > ID_MAX) throw new Unreadable(`the header saga-command has over ${ID_MAX} bytes`);
  if (Buffer.byteLength(message.payload) > PAYLOAD_MAX) {
    throw new Unreadable(`the payload has over ${PAYLOAD_MAX} bytes`);
  }
  const kind = kindOf(required(message, header.kind));
  return {
    message,
    id,
    call: required(message, header.call),
    kind,
    attempt: attemptOf(required(message, header.attempt)),
    deadline: kind === "message" ? Number.MAX_SAFE_INTEGER : instant(message, header.deadline),
    keepUntil: instant(message, header.keepUntil),
    request: json(message.payload === "" ? "{}" : message.payload),
  };
}

/** As one line: what the guard keeps of a command that is being done. The payload stays as it was written. */
export function toLine(message: Message): string {
  const headers = JSON.stringify(Object.fromEntries(message.headers));
  return `{"headers":${headers},"payload":${message.payload === "" ? "{}" : message.payload}}`;
}

/** Reads such a line. */
export function fromLine(line: string): Message {
  const read = json(line) as { headers?: Record<string, unknown>; payload?: unknown } | null;
  const headers = new Map(Object.entries(read?.headers ?? {}).map(([name, value]) => [name, String(value)]));
  // As it was written: of `840.00` a number would make `840`.
  const before = `{"headers":${JSON.stringify(Object.fromEntries(headers))},"payload":`;
  const payload = line.startsWith(before) ? line.slice(before.length, -1) : JSON.stringify(read?.payload ?? {});
  return { key: headers.get(header.instance) ?? "", headers, payload };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unreadable(`the payload is not JSON: ${(error as Error).message}`);
  }
}

function required(message: Message, name: string): string {
  const value = message.headers.get(name);
  if (value === undefined || value === "") throw new Unreadable(`the header ${name} is missing`);
  return value;
}

function kindOf(word: string): Kind {
  if (word === "do" || word === "undo" || word === "query" || word === "message") return word;
  throw new Unreadable(`the header saga-kind is \`${word}\`, not do, undo, query or message`);
}

function attemptOf(text: string): number {
  const attempt = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (attempt > 0) return attempt;
  throw new Unreadable(`the header saga-attempt is \`${text}\`, not 1, 2, 3 …`);
}

function instant(message: Message, name: string): number {
  const text = required(message, name);
  if (!/^\d{1,20}$/.test(text)) throw new Unreadable(`the header ${name} is \`${text}\`, not milliseconds since 1970`);
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
