/**
 * A participant on its topic of commands.
 *
 * Written against the surface that kafkajs and @confluentinc/kafka-javascript share, so that either can be handed in.
 * A command's offset is committed after its reply is acknowledged: after a crash in between it comes again, which the
 * guard makes harmless. What cannot be read or answered is logged and passed over, so nothing blocks a partition.
 */

import { CONTENT_TYPE, type Message, Unreadable, attribute, readMessage, writeMessage } from "./message.js";
import type { Participant } from "./participant.js";

/** How often work outside the database that was interrupted is taken up again. */
const RESUME_EVERY = 10_000;

/** How often rows of the guard that nobody can ask for are removed. */
const PURGE_EVERY = 600_000;

/** How long a message that met a passing fault waits for the next try. */
const TAKE_AGAIN = 2_000;

/** How often the group is told, while a handler works, that its member lives; a client that does so by itself passes over it. */
const HEARTBEAT_EVERY = 3_000;

/**
 * Kafka's codes for what is refused however often it is sent: MESSAGE_TOO_LARGE, INVALID_TOPIC_EXCEPTION, RECORD_LIST_TOO_LARGE,
 * TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, INVALID_RECORD.
 */
const FOR_GOOD: readonly unknown[] = [10, 17, 18, 29, 31, 87];

/** Partitions that are worked on at once. */
const CONCURRENTLY = 4;

type Bytes = Uint8Array | string;

export interface KafkaRecord {
  key: Bytes | null;
  value: Bytes | null;
  offset: string;
}

interface Consumer {
  connect(): Promise<void>;
  subscribe(what: { topics: string[]; fromBeginning?: boolean }): Promise<void>;
  run(how: {
    partitionsConsumedConcurrently?: number;
    eachMessage: (one: {
      topic: string;
      partition: number;
      message: KafkaRecord;
      heartbeat?: () => Promise<void>;
    }) => Promise<void>;
  }): Promise<void>;
  disconnect(): Promise<void>;
  /** Of kafkajs alone: Confluent's throws here, and goes on by itself. */
  on?(event: "consumer.crash", listener: (crash: { payload: { error: Error; restart: boolean } }) => void): unknown;
}

interface Producer {
  connect(): Promise<void>;
  send(what: {
    topic: string;
    acks?: number;
    messages: Array<{ key: string | null; value: string; headers: Record<string, string>; partition?: number }>;
  }): Promise<unknown>;
  disconnect(): Promise<void>;
}

interface Admin {
  connect(): Promise<void>;
  listTopics(): Promise<string[]>;
  fetchTopicMetadata(which: { topics: string[] }): Promise<{ topics: Array<{ partitions: unknown[] }> }>;
  disconnect(): Promise<void>;
}

/** Kafka's clients, made but not connected. */
export interface Clients {
  /** Of the participant's group. */
  consumer: Consumer;
  producer: Producer;
  admin: Admin;
}

export interface Service {
  /** Ends what is under way, and disconnects. */
  close(): Promise<void>;
  /** Resolves once it is closed; rejects if the consumer ends for good before, and nothing reads the topic any more. */
  readonly ended: Promise<void>;
}

/** Answers the commands on `topic` until it is closed. */
export async function serve<C>(participant: Participant<C>, topic: string, clients: Clients): Promise<Service> {
  const { consumer, producer, admin } = clients;
  await participant.prepare();
  await Promise.all([consumer.connect(), producer.connect(), admin.connect()]);
  const topics = new Map<string, number>();
  const closing = new AbortController();

  /** Asked before a producer is: that tries for long where there is no such topic, and cannot tell. */
  const partitionsOf = async (name: string): Promise<number> => {
    if (!(await admin.listTopics()).includes(name)) return 0;
    const metadata = await admin.fetchTopicMetadata({ topics: [name] });
    const partitions = metadata.topics[0]?.partitions.length ?? 0;
    topics.set(name, partitions);
    return partitions;
  };

  const addressOf = async (command: Message): Promise<{ topic: string; partition?: number }> => {
    const name = command.attributes.get(attribute.replyTo);
    if (name === undefined) throw new Unreadable(`the attribute ${attribute.replyTo} is missing`);
    const partition = command.attributes.get(attribute.replyPartition);
    const number = /^\d{1,9}$/.test(partition ?? "0") ? Number(partition ?? "0") : Infinity;
    let partitions = topics.get(name) ?? 0;
    // It may have got more since.
    if (number >= partitions) partitions = await partitionsOf(name);
    if (partitions === 0) throw new Unreadable(`there is no topic \`${name}\` for its reply`);
    if (number >= partitions) throw new Unreadable(`\`${name}\` has no partition \`${partition}\` for its reply`);
    return partition === undefined ? { topic: name } : { topic: name, partition: number };
  };

  /** A message, which nobody repeats: while it meets a passing fault it is tried again, and what is behind it waits. */
  const take = async (command: Message, heartbeat?: () => Promise<void>): Promise<void> => {
    for (;;) {
      const { attributes } = await participant.handle(command);
      const [id, status, code] = [attribute.command, attribute.status, attribute.code].map((name) => attributes.get(name));
      if (code === "unknown-call") {
        console.error(`nobody here takes the message ${id}, a ${command.attributes.get(attribute.call)}: it is passed over`);
        return;
      }
      if (status === "failed") console.error(`the message ${id} was refused, which its saga never hears: ${code}`);
      if (status !== "retry") return;
      console.error(`the message ${id} cannot be taken for now, and what is behind it waits: ${code}`);
      await new Promise((resolve) => setTimeout(resolve, TAKE_AGAIN));
      // Not taken and so not committed: it comes again.
      if (closing.signal.aborted) throw new Error(`the message ${id} was not taken before the end`);
      await heartbeat?.();
    }
  };

  const send = async (command: Message, reply: Message): Promise<void> => {
    const { topic: to, ...partition } = await addressOf(command);
    const headers = { "content-type": CONTENT_TYPE };
    const key = reply.key === "" ? null : reply.key;
    try {
      await producer.send({ topic: to, acks: -1, messages: [{ key, value: writeMessage(reply), headers, ...partition }] });
    } catch (error) {
      // It may be that the topic has gone.
      topics.delete(to);
      throw error;
    }
  };

  /** `of` says where the command stands that is answered, unless it came long before. */
  const tell = async (command: Message, reply: Message, of = ""): Promise<void> => {
    if (command.attributes.get(attribute.kind) === "message") return;
    try {
      await send(command, reply);
    } catch (error) {
      if (!isForGood(error)) throw error;
      const [id, to] = [reply.attributes.get(attribute.command), command.attributes.get(attribute.replyTo)];
      const what = `the reply to ${id}${of} cannot be written to \`${to}\``;
      console.error(`${what}, and its step hears nothing until it asks again: ${(error as Error).message}`);
    }
  };

  const failed = (what: string) => (error: unknown) => console.error(`${what} failed for now:`, error);
  let resuming: Promise<void> | undefined;
  const resume = (): void => {
    resuming ??= participant
      .resume((command, reply) => tell(command, reply), closing.signal)
      .catch(failed("taking up interrupted work"))
      .finally(() => (resuming = undefined));
  };
  const purge = (): void => void participant.purge().catch(failed("removing old rows of the guard"));
  resume();
  const timers = [setInterval(resume, RESUME_EVERY), setInterval(purge, PURGE_EVERY)];

  let finish = (): void => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve;
    try {
      // Before it runs: the first record may end it.
      consumer.on?.("consumer.crash", ({ payload: { error, restart } }) => {
        if (restart || closing.signal.aborted) return;
        const what = `the consumer of \`${topic}\` has ended for good, and nothing reads it any more`;
        console.error(`${what}; start the process again (if it ends at once, see "Compressed records" in the README):`, error);
        reject(error);
      });
    } catch (error) {
      console.error("this client of Kafka does not say when its consumer ends for good:", error);
    }
  });
  // Whoever does not await it has the log.
  ended.catch(() => undefined);

  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: CONCURRENTLY,
    eachMessage: async ({ partition, message: record, heartbeat }) => {
      // What fails here fails again behind the message, where the client takes it as a reason to join again.
      const beats = heartbeat && setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_EVERY);
      const place = `${topic}, partition ${partition}, offset ${record.offset}`;
      let id = "";
      try {
        const command = readMessage(text(record.key), text(record.value));
        id = command.attributes.get(attribute.command) ?? "";
        if (command.attributes.get(attribute.kind) === "message") return await take(command, heartbeat);
        await addressOf(command);
        await tell(command, await participant.handle(command), ` (${place})`);
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        console.error(`a record is passed over: ${place}${id && `, ${id}`}: ${error.message}`);
      } finally {
        clearInterval(beats);
      }
    },
  });
  return {
    ended,
    close: async () => {
      closing.abort();
      timers.forEach((timer) => clearInterval(timer));
      try {
        await Promise.all([consumer.disconnect(), resuming]);
      } finally {
        // Behind all that tells: a client that is asked once more would connect again, and hold the process.
        await Promise.all([producer.disconnect(), admin.disconnect()]);
        finish();
      }
    },
  };
}

/** Whether it cannot be sent, now or later. */
function isForGood(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Unreadable || FOR_GOOD.includes((error as { code?: unknown }).code) || isForGood(error.cause);
}

/** Two ids that differ in bytes that are no text must not become one. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function text(bytes: Bytes | null | undefined): string {
  if (bytes === null || bytes === undefined) return "";
  if (typeof bytes === "string") return bytes;
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Unreadable("its key or its value is not UTF-8");
  }
}
