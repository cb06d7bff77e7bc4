/** Messages, and the commands that they hold. */

/** The names of attributes. */
export const attribute = {
  specVersion: "specversion",
  type: "type",
  id: "id",
  source: "source",
  traceparent: "traceparent",
  instance: "instance",
  saga: "saga",
  step: "step",
  command: "command",
  call: "call",
  kind: "kind",
  attempt: "attempt",
  replyTo: "replyto",
  replyPartition: "replypartition",
  deadline: "deadline",
  keepUntil: "keepuntil",
  record: "record",
  status: "status",
  code: "code",
  request: "request",
  callback: "callback",
} as const;

/** All that mean something. Others may come, and are passed over. */
const KNOWN: ReadonlySet<string> = new Set(Object.values(attribute));

const COMMAND_TYPE = "saga.command.v1";
export const REPLY_TYPE = "saga.reply.v1";

/** What a record says of its value. */
export const CONTENT_TYPE = "application/cloudevents+json";

/** The largest data, in bytes. */
export const DATA_MAX = 1 << 20;

/** The largest message, in bytes: the largest data with its attributes. */
const MESSAGE_MAX = DATA_MAX + (64 << 10);

/** As long as an id can be. */
const ID_MAX = 500;

/** A message on its way, a CloudEvent: the instance as its key, the known attributes in their order, and JSON or nothing. */
export interface Message {
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly data: string;
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

/** Reads a command; throws `Unreadable` if an attribute is missing or wrong, or the data is not JSON within its limit. */
export function readCommand(message: Message): Command {
  const type = required(message, attribute.type);
  if (type !== COMMAND_TYPE) throw new Unreadable(`the attribute type is \`${type}\`, not ${COMMAND_TYPE}`);
  const id = required(message, attribute.command);
  if (Buffer.byteLength(id) > ID_MAX) throw new Unreadable(`the attribute command has over ${ID_MAX} bytes`);
  if (Buffer.byteLength(message.data) > DATA_MAX) throw new Unreadable(`the data has over ${DATA_MAX} bytes`);
  const kind = kindOf(required(message, attribute.kind));
  return {
    message,
    id,
    call: required(message, attribute.call),
    kind,
    attempt: attemptOf(required(message, attribute.attempt)),
    deadline: kind === "message" ? Number.MAX_SAFE_INTEGER : instant(message, attribute.deadline),
    keepUntil: instant(message, attribute.keepUntil),
    request: json(message.data === "" ? "{}" : message.data),
  };
}

/** Reads a message; throws `Unreadable` if it is not one object of JSON within its limit, or an attribute is no text or there twice. */
export function readMessage(key: string, event: string): Message {
  if (Buffer.byteLength(event) > MESSAGE_MAX) throw new Unreadable(`it has over ${MESSAGE_MAX} bytes`);
  const object = json(event);
  if (typeof object !== "object" || object === null || Array.isArray(object)) throw new Unreadable("it is no object of JSON");
  const seen = new Set<string>();
  const attributes = new Map<string, string>();
  let data = "";
  for (const [name, written] of members(event)) {
    if (name !== "data" && !KNOWN.has(name)) continue;
    // Readers differ in which of the two counts.
    if (seen.has(name)) throw new Unreadable(`its member ${name} stands twice`);
    seen.add(name);
    if (written === "null") continue; // as if it were absent
    if (name === "data") data = written;
    else attributes.set(name, textOf(name, written));
  }
  return { key, attributes, data };
}

/** Reads what the guard kept. */
export function readKept(event: string): Message {
  const message = readMessage("", event);
  return { ...message, key: message.attributes.get(attribute.instance) ?? "" };
}

/** As JSON. The data stays as it was written: of `840.00` a number would make `840`. */
export function writeMessage({ attributes, data }: Message): string {
  const written = [...attributes].map(([name, text]) => `${JSON.stringify(name)}:${JSON.stringify(text)}`);
  if (data !== "") written.push(`"data":${data}`);
  return `{${written.join(",")}}`;
}

/** Strings and punctuation: all that tells where a member of an object begins and ends. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/**
 * The members of an object, each value as it is written. The text is JSON: `JSON.parse` has seen it, and keeps neither how
 * a value is written nor that a name stands twice.
 */
function* members(object: string): Generator<readonly [name: string, written: string]> {
  let [depth, name, from] = [0, "", 0];
  for (const { 0: token, index } of object.matchAll(TOKENS)) {
    if (depth === 1) {
      if (token === ":") from = index + 1;
      else if (from === 0 && token.startsWith('"')) name = JSON.parse(token) as string;
      else if (from !== 0 && (token === "," || token === "}")) {
        yield [name, object.slice(from, index).trim()];
        from = 0;
      }
    }
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
  }
}

function textOf(name: string, written: string): string {
  if (/^-?\d+$/.test(written)) return written;
  const text: unknown = JSON.parse(written);
  // Half of a surrogate pair can be written in JSON, and in UTF-8 becomes a question mark.
  if (typeof text === "string" && !/\p{Surrogate}/u.test(text)) return text;
  throw new Unreadable(`the attribute ${name} is neither text nor a whole number`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unreadable(`it is not JSON: ${(error as Error).message}`);
  }
}

function required(message: Message, name: string): string {
  const value = message.attributes.get(name);
  if (value === undefined || value === "") throw new Unreadable(`the attribute ${name} is missing`);
  return value;
}

function kindOf(word: string): Kind {
  if (word === "do" || word === "undo" || word === "query" || word === "message") return word;
  throw new Unreadable(`the attribute kind is \`${word}\`, not do, undo, query or message`);
}

function attemptOf(text: string): number {
  const attempt = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (attempt > 0) return attempt;
  throw new Unreadable(`the attribute attempt is \`${text}\`, not 1, 2, 3 …`);
}

function instant(message: Message, name: string): number {
  const text = required(message, name);
  if (!/^\d{1,20}$/.test(text)) throw new Unreadable(`the attribute ${name} is \`${text}\`, not milliseconds since 1970`);
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}
