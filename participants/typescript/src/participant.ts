/** Answers commands. How they travel is the business of `serve`. */

import { type Ask, askOf, claims, verdict } from "./guard.js";
import { type Command, DATA_MAX, type Message, REPLY_TYPE, attribute, readCommand, readKept, writeMessage } from "./message.js";
import type { Row, Store, Transaction } from "./store.js";

/**
 * How long a row that is `done` or `failed` outlives its time: its saga may wait for a person for weeks and then take it
 * back; or the orchestrator may be down for long and repeat the command before it reads that it failed.
 */
const KEEP_ANSWERS = 400 * 86_400_000;

/** How long the world may still take to answer interrupted work once its participant is to end, in milliseconds. */
const ABANDON_AFTER = 5_000;

/** Thrown by a handler that does not do it. Nothing that it wrote stays. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  private constructor(
    readonly kind: "failed" | "retry",
    readonly code: string,
    /** Words for people. */
    readonly words?: string,
  ) {
    super(`${kind}: ${code}`);
  }

  /** A business no, for good, with a code that the contract declares. */
  static failed(code: string, words?: string): Refusal {
    return new Refusal("failed", code, words);
  }

  /** A passing fault: it may work later. */
  static retry(code: string): Refusal {
    return new Refusal("retry", code);
  }
}

/** Makes of a request, or of a reply that was kept, what a handler takes; what it throws means that it does not fit. */
export type Read<T> = (json: unknown) => T;

type Handler<C> =
  | { readonly does: "work"; work(connection: C, command: Command): Promise<unknown> }
  | { readonly does: "undo"; undo(connection: C, done: string | undefined, command: Command): Promise<void> }
  | { readonly does: "outside"; work(command: Command): Promise<unknown> };

type Outside<C> = Handler<C> & { does: "outside" };

/** What a delivery is answered. */
interface Answer {
  readonly status: "succeeded" | "failed" | "retry" | "pending" | "unknown-command";
  readonly code?: string | undefined;
  readonly payload?: string;
}

/** Sends a command's late reply. Resolves once it is acknowledged, or is refused for good; where it may work later, it throws. */
export type Tell = (command: Message, reply: Message) => Promise<void>;

export class Participant<C> {
  readonly #handlers = new Map<string, Handler<C>>();
  /** Work outside transactions that this process is doing, so that `resume` leaves it alone. */
  readonly #running = new Set<string>();

  /** A participant without commands, named as in the definition. `now` is the clock that deadlines are compared with. */
  constructor(
    readonly name: string,
    private readonly store: Store<C>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Does a command of the contract, in the guard's own transaction; gives its reply. */
  command<Q>(call: string, read: Read<Q>, work: (connection: C, request: Q, command: Command) => unknown): this {
    return this.#handle(call, {
      does: "work",
      work: async (connection, command) => work(connection, fitting(read, command), command),
    });
  }

  /**
   * Takes a command back. It is given the reply of the work that it takes back, since the saga may not have seen it;
   * undefined where the compensation is a work of its own and `command.request` says what is meant.
   */
  undo<R>(call: string, read: Read<R>, undo: (connection: C, done: R | undefined, command: Command) => unknown): this {
    return this.#handle(call, {
      does: "undo",
      undo: async (connection, done, command) => {
        await undo(connection, done === undefined ? undefined : read(JSON.parse(done)), command);
      },
    });
  }

  /**
   * Does a command that no transaction can hold. Its begin is committed first, and it is called again after a crash or a
   * fault, by `resume`: it must recognise `command.id`.
   */
  outside<Q>(call: string, read: Read<Q>, work: (request: Q, command: Command) => unknown): this {
    return this.#handle(call, { does: "outside", work: async (command) => work(fitting(read, command), command) });
  }

  #handle(call: string, handler: Handler<C>): this {
    if (this.#handlers.has(call)) throw new Error(`the command ${call} has two handlers`);
    this.#handlers.set(call, handler);
    return this;
  }

  /** Makes the guard's table, where there is none. */
  prepare(): Promise<void> {
    return this.store.prepare();
  }

  /** Answers a command; throws `Unreadable` if the message is none, since there is nobody to answer. */
  async handle(message: Message): Promise<Message> {
    const command = readCommand(message);
    let answer: Answer;
    try {
      answer = await this.#answer(command);
    } catch (error) {
      console.error(`the database failed; ${command.id} is answered \`retry\`:`, error);
      answer = { status: "retry", code: "store" };
    }
    return this.#reply(command, answer);
  }

  /**
   * Ends the work outside transactions that was interrupted, one after the other, and has each reply told. To be called at
   * every start and now and then. Once `stop` is aborted no further row is begun, and who asks the world is soon abandoned.
   *
   * Nobody asks behind a `pending`: so a row is `doing` until its reply is told. A process that dies before it has written
   * that asks and tells again, which changes nothing.
   */
  async resume(tell: Tell, stop?: AbortSignal): Promise<void> {
    for (const begun of await this.store.doing()) {
      if (stop?.aborted) return;
      if (this.#running.has(begun.command)) continue;
      let command: Command;
      try {
        command = readCommand(readKept(begun.line));
      } catch (error) {
        console.error(`the row of ${begun.command} is \`doing\` and does not hold its command:`, error);
        continue;
      }
      const handler = this.#handlers.get(command.call);
      if (handler?.does !== "outside") {
        console.error(`nobody does ${command.call} any more; ${command.id} stays \`doing\``);
        continue;
      }
      this.#running.add(command.id);
      try {
        await this.#takeUp(handler, command, tell, stop);
      } catch (error) {
        console.warn(`what became of ${command.id} is not told yet; it is taken up again:`, error);
      } finally {
        this.#running.delete(command.id);
      }
    }
  }

  /** Removes rows of the guard that no delivery can ask for any more; returns how many. To be called now and then. */
  purge(): Promise<number> {
    return this.store.purge(this.now(), this.now() - KEEP_ANSWERS);
  }

  async #answer(command: Command): Promise<Answer> {
    const ask = askOf(command, this.now());
    const handler = this.#handlers.get(command.call);
    let begun = false;
    try {
      const answer = await this.store.transaction(async (open) => {
        const isNew = claims(ask) && (await open.claim(command.id, command.keepUntil));
        const row = isNew ? undefined : await open.find(command.id);
        const judged = await this.#judge(open, ask, row, command, handler);
        if (judged === "outside") {
          begun = true;
          this.#running.add(command.id);
        }
        return judged;
      });
      if (answer !== "outside") return answer;
      // The row is `doing` and committed, and no connection is held while the world is asked.
      const asked = await this.#ask(handler as Outside<C>, command);
      return asked.status === "pending" ? asked : await this.#end(command, asked);
    } finally {
      // Only by whoever began it: a repeat is answered meanwhile.
      if (begun) this.#running.delete(command.id);
    }
  }

  async #judge(
    open: Transaction<C>,
    ask: Ask,
    row: Row | undefined,
    command: Command,
    handler: Handler<C> | undefined,
  ): Promise<Answer | "outside"> {
    const settle = async (state: Row["state"], reply: string | null) => {
      await open.settle(command.id, { state, reply, keepUntil: command.keepUntil });
      open.keep();
    };
    const answered = async (state: Row["state"], answer: Answer): Promise<Answer> => {
      await settle(state, toKeep(answer));
      return answer;
    };
    const judged = verdict(ask, row?.state);
    switch (judged) {
      case "work": {
        if (handler === undefined) return { status: "retry", code: "unknown-call" };
        if (handler.does === "outside") {
          await settle("doing", writeMessage(command.message));
          return "outside";
        }
        await open.mark();
        const outcome = await attempt(command, () => run(handler, open.connection, undefined, command));
        if (!(outcome instanceof Refusal)) return answered("done", { status: "succeeded", payload: outcome });
        if (outcome.kind === "retry") return refused(outcome);
        await open.back();
        return answered("failed", refused(outcome));
      }
      case "compensate": {
        if (handler === undefined || handler.does === "outside") return { status: "retry", code: "unknown-call" };
        const done = row && kept(row).payload;
        const outcome = await attempt(command, () => run(handler, open.connection, done, command));
        // Refused, the work stays done, and a person has to look.
        if (outcome instanceof Refusal) return refused(outcome);
        return answered("undone", { status: "succeeded", payload: outcome });
      }
      case "forbid":
        return answered("undone", { status: "succeeded", payload: "{}" });
      case "same-reply":
      case "pending":
      case "already-undone":
        if (row === undefined) throw new Error("such a verdict has a row");
        if (row.keepUntil < command.keepUntil) await settle(row.state, row.reply);
        return known(row, ask);
      case "undo-later":
        return { status: "retry", code: "still-doing" };
      case "expired":
        return { status: "retry", code: "expired" };
      case "unknown-command":
        return { status: "unknown-command" };
      default:
        return judged satisfies never;
    }
  }

  async #takeUp(handler: Outside<C>, command: Command, tell: Tell, stop: AbortSignal | undefined): Promise<void> {
    const asked = await unlessAbandoned(this.#ask(handler, command), stop);
    if (asked === undefined || asked.status === "pending") return;
    const row = await this.store.transaction((open) => open.find(command.id));
    const answer = row === undefined || row.state === "doing" ? asked : known(row, "do");
    await tell(command.message, this.#reply(command, answer));
    await this.#end(command, asked);
  }

  /** Asks the world; `pending` where it does not answer. */
  async #ask(handler: Outside<C>, command: Command): Promise<Answer> {
    const outcome = await attempt(command, async () => encode(await handler.work(command)));
    if (!(outcome instanceof Refusal)) return { status: "succeeded", payload: outcome };
    if (outcome.kind === "failed") return refused(outcome);
    // Whether it worked is unknown, so it stays `doing`: nothing else may begin under this id.
    console.error(`${command.id} is not done yet (${outcome.code}); it is taken up again`);
    return { status: "pending" };
  }

  /** Writes what the world answered, and gives what is to be told. */
  #end(command: Command, asked: Answer): Promise<Answer> {
    return this.store.transaction(async (open) => {
      const row = await open.find(command.id);
      // Another process took it up too, and ended it; it may have been taken back since.
      if (row !== undefined && row.state !== "doing") return known(row, "do");
      const state = asked.status === "failed" ? "failed" : "done";
      await open.settle(command.id, { state, reply: toKeep(asked), keepUntil: command.keepUntil });
      open.keep();
      return asked;
    });
  }

  #reply(command: Command, answer: Answer): Message {
    const asked = command.message;
    const attributes = new Map<string, string>([
      [attribute.specVersion, "1.0"],
      [attribute.type, REPLY_TYPE],
      [attribute.id, `${command.id}/${command.kind}/${command.attempt}/${answer.status}`],
      [attribute.source, `/participants/${this.name}`],
    ]);
    const traceparent = asked.attributes.get(attribute.traceparent);
    if (traceparent !== undefined) attributes.set(attribute.traceparent, traceparent);
    attributes.set(attribute.command, command.id);
    attributes.set(attribute.kind, command.kind);
    attributes.set(attribute.attempt, String(command.attempt));
    attributes.set(attribute.status, answer.status);
    if (answer.code !== undefined) attributes.set(attribute.code, answer.code);
    return { key: asked.key, attributes, data: answer.payload ?? "" };
  }
}

/** The request. One that does not fit is refused. */
function fitting<Q>(read: Read<Q>, command: Command): Q {
  try {
    return read(command.request);
  } catch (error) {
    throw Refusal.failed("unfit-request", `${command.call} cannot read its request: ${(error as Error).message}`);
  }
}

async function run<C>(
  handler: Handler<C> & { does: "work" | "undo" },
  connection: C,
  done: string | undefined,
  command: Command,
): Promise<string> {
  if (handler.does === "work") return encode(await handler.work(connection, command));
  await handler.undo(connection, done, command);
  return "{}";
}

/** Calls a handler; whatever it throws is a refusal. */
async function attempt(command: Command, call: () => Promise<string>): Promise<string | Refusal> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Refusal) return error;
    console.error(`the handler of ${command.call} threw: ${command.id}:`, error);
    return Refusal.retry("fault");
  }
}

/** What comes of it; undefined if that takes over `ABANDON_AFTER` once `stop` is aborted. */
async function unlessAbandoned<T>(work: Promise<T>, stop: AbortSignal | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let begin = (): void => undefined;
  const abandoned = new Promise<undefined>((resolve) => {
    begin = () => {
      timer = setTimeout(() => resolve(undefined), ABANDON_AFTER);
    };
  });
  stop?.addEventListener("abort", begin);
  try {
    return await Promise.race([work, abandoned]);
  } finally {
    stop?.removeEventListener("abort", begin);
    clearTimeout(timer);
  }
}

/** A reply that is no JSON, or too large, is a defect of the participant: nothing of it stays, and it is seen. */
function encode(reply: unknown): string {
  const text = JSON.stringify(reply ?? {});
  if (text !== undefined && Buffer.byteLength(text) <= DATA_MAX) return text;
  console.error(`a handler's reply is no JSON of at most ${DATA_MAX} bytes`);
  throw Refusal.retry("unwritable-reply");
}

function refused({ kind, code, words }: Pick<Refusal, "kind" | "code" | "words">): Answer {
  if (kind === "retry" || words === undefined) return { status: kind, code };
  return { status: kind, code, payload: JSON.stringify({ message: words }) };
}

/** What a row keeps of an answer, in the form of all libraries: the data, and of a refusal its code and message. */
function toKeep(answer: Answer): string {
  if (answer.status !== "failed") return answer.payload ?? "{}";
  return JSON.stringify({ code: answer.code, ...(JSON.parse(answer.payload ?? "{}") as object) });
}

/** The answer that a row keeps. */
function kept({ state, reply }: Row): Answer {
  if (state !== "failed") return { status: "succeeded", payload: reply ?? "{}" };
  const { code, message } = JSON.parse(reply ?? "{}") as { code?: string; message?: string };
  if (code === undefined) throw new Error("the guard's row does not hold the code of its refusal");
  return refused({ kind: "failed", code, words: message });
}

/** What a row answers by itself. */
function known(row: Row, ask: Ask): Answer {
  switch (row.state) {
    case "doing":
      return { status: "pending" };
    case "done":
    case "failed":
      return kept(row);
    case "undone":
      return ask === "undo" ? kept(row) : { status: "failed", code: "already-undone" };
  }
}
