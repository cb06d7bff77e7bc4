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
}

/** Answers the commands on `topic` until it is closed. */
export async function serve<C>(participant: Participant<C>, topic: string, clients: Clients): Promise<Service> {
  const { consumer, producer, admin } = clients;
  await participant.prepare();
  await Promise.all([consumer.connect(), producer.connect(), admin.connect()]);
  const topics = new Map<string, number>();
  let closes = false;

  /** Asked before a producer is: that tries for long where there is no such topic, and cannot tell. */
  const partitionsOf = async (name: string): Promise<number> => {
    const cached = topics.get(name);
    if (cached !== undefined) return cached;
    if (!(await admin.listTopics()).includes(name)) return 0;
    const metadata = await admin.fetchTopicMetadata({ topics: [name] });
    const partitions = metadata.topics[0]?.partitions.length ?? 0;
    topics.set(name, partitions);
    return partitions;
  };

  const addressOf = async (command: Message): Promise<{ topic: string; partition?: number }> => {
    const name = command.attributes.get(attribute.replyTo);
    if (name === undefined) throw new Unreadable(`the attribute ${attribute.replyTo} is missing`);
    const partitions = await partitionsOf(name);
    if (partitions === 0) throw new Unreadable(`there is no topic \`${name}\` for its reply`);
    const partition = command.attributes.get(attribute.replyPartition);
    if (partition === undefined) return { topic: name };
    if (/^\d{1,9}$/.test(partition) && Number(partition) < partitions) return { topic: name, partition: Number(partition) };
    throw new Unreadable(`\`${name}\` has no partition \`${partition}\` for its reply`);
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
      if (closes) throw new Error(`the message ${id} was not taken before the end`);
      await heartbeat?.();
    }
  };

  const send = async (command: Message, reply: Message): Promise<void> => {
    if (command.attributes.get(attribute.kind) === "message") return;
    const { topic: to, ...partition } = await addressOf(command);
    const headers = { "content-type": CONTENT_TYPE };
    const key = reply.key === "" ? null : reply.key;
    await producer.send({ topic: to, acks: -1, messages: [{ key, value: writeMessage(reply), headers, ...partition }] });
  };

  const resume = async (): Promise<void> => {
    for (const { command, reply } of await participant.resume()) await send(command, reply);
  };
  const nowAndThen = (what: string, work: () => Promise<unknown>) => (): void => {
    work().catch((error: unknown) => console.error(`${what} failed for now:`, error));
  };
  const resuming = nowAndThen("taking up interrupted work", resume);
  resuming();
  const timers = [
    setInterval(resuming, RESUME_EVERY),
    setInterval(nowAndThen("removing old rows of the guard", () => participant.purge()), PURGE_EVERY),
  ];

  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: CONCURRENTLY,
    eachMessage: async ({ partition, message: record, heartbeat }) => {
      try {
        const command = readMessage(text(record.key), text(record.value));
        if (command.attributes.get(attribute.kind) === "message") return await take(command, heartbeat);
        await addressOf(command);
        await send(command, await participant.handle(command));
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        console.error(`a record is passed over: ${topic}, partition ${partition}, offset ${record.offset}: ${error.message}`);
      }
    },
  });
  return {
    close: async () => {
      closes = true;
      timers.forEach((timer) => clearInterval(timer));
      await consumer.disconnect();
      await Promise.all([producer.disconnect(), admin.disconnect()]);
    },
  };
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
