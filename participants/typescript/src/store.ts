/** The guard's row in the participant's own database. */

import type { State } from "./guard.js";

export interface Row {
  readonly state: State;
  /** Its reply; of one that is `doing`, the command itself, to be taken up again. */
  readonly reply: string | null;
  readonly keepUntil: number;
}

/** One transaction; `connection` is what handlers work on. */
export interface Transaction<C> {
  readonly connection: C;
  /** Inserts a row that is `doing` unless the command has one; says whether it did. */
  claim(command: string, keepUntil: number): Promise<boolean>;
  /** The command's row, locked. */
  find(command: string): Promise<Row | undefined>;
  /** Writes what became of a command; how long it is kept never shrinks. */
  settle(command: string, row: Row): Promise<void>;
  /** Marks the place to which `back` returns. */
  mark(): Promise<void>;
  /** Forgets what was written since: a refusal leaves nothing but its row. */
  back(): Promise<void>;
  /** From here on, the transaction is committed at its end; without it, it never was. */
  keep(): void;
}

/** A participant's database. */
export interface Store<C> {
  /** Makes the guard's table, where there is none. */
  prepare(): Promise<void>;
  transaction<T>(work: (transaction: Transaction<C>) => Promise<T>): Promise<T>;
  /** The commands whose work outside a transaction was begun and not ended. */
  doing(): Promise<ReadonlyArray<{ command: string; line: string }>>;
  /** Removes `undone` rows past `now`, and `done` and `failed` ones past `answered`; returns how many. */
  purge(now: number, answered: number): Promise<number>;
}

/** What `?` stands for, `forUpdate` and `greatest` is where the databases differ. */
interface Dialect {
  readonly begin: string;
  readonly forUpdate: string;
  readonly greatest: string;
  parameter(number: number): string;
}

const SQLITE: Dialect = {
  begin: "BEGIN IMMEDIATE", // one writer at a time: that is the lock
  forUpdate: "",
  greatest: "max",
  parameter: () => "?",
};

const POSTGRES: Dialect = {
  begin: "BEGIN", // READ COMMITTED is enough: the primary key makes a second delivery wait for the first
  forUpdate: " FOR UPDATE",
  greatest: "greatest",
  parameter: (number) => `$${number}`,
};

interface Result {
  readonly changes: number;
  readonly rows: ReadonlyArray<Record<string, unknown>>;
}

type Query = (sql: string, parameters?: ReadonlyArray<string | number | null>) => Promise<Result>;

const CREATE =
  "CREATE TABLE IF NOT EXISTS saga_guard (command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL)";

function statements(dialect: Dialect) {
  const p = dialect.parameter;
  return {
    claim: `INSERT INTO saga_guard (command, state, reply, keep_until) VALUES (${p(1)}, 'doing', NULL, ${p(2)}) ON CONFLICT (command) DO NOTHING`,
    find: `SELECT state, reply, keep_until FROM saga_guard WHERE command = ${p(1)}${dialect.forUpdate}`,
    settle: `UPDATE saga_guard SET state = ${p(1)}, reply = ${p(2)}, keep_until = ${dialect.greatest}(keep_until, ${p(3)}) WHERE command = ${p(4)}`,
    purge: `DELETE FROM saga_guard WHERE (state = 'undone' AND keep_until < ${p(1)}) OR (state IN ('done', 'failed') AND keep_until < ${p(2)})`,
    doing: "SELECT command, reply FROM saga_guard WHERE state = 'doing' ORDER BY command",
  };
}

/** A connection for the time of one use. */
type Use<C> = <T>(use: (connection: C, query: Query) => Promise<T>) => Promise<T>;

function store<C>(dialect: Dialect, use: Use<C>): Store<C> {
  const sql = statements(dialect);
  return {
    prepare: () => use(async (_, query) => void (await query(CREATE))),
    doing: () =>
      use(async (_, query) =>
        (await query(sql.doing)).rows.map((row) => ({ command: String(row["command"]), line: String(row["reply"]) })),
      ),
    purge: (now, answered) => use(async (_, query) => (await query(sql.purge, [now, answered])).changes),
    transaction: (work) =>
      use(async (connection, query) => {
        let keeps = false;
        await query(dialect.begin);
        try {
          const done = await work({
            connection,
            claim: async (command, keepUntil) => (await query(sql.claim, [command, keepUntil])).changes === 1,
            find: async (command) => {
              const row = (await query(sql.find, [command])).rows[0];
              return row && { state: row["state"] as State, reply: row["reply"] as string, keepUntil: Number(row["keep_until"]) };
            },
            settle: async (command, row) => {
              const { changes } = await query(sql.settle, [row.state, row.reply, row.keepUntil, command]);
              if (changes !== 1) throw new Error(`the guard's row of ${command} has gone; nothing of its work stays`);
            },
            mark: async () => void (await query("SAVEPOINT saga_work")),
            back: async () => void (await query("ROLLBACK TO SAVEPOINT saga_work")),
            keep: () => {
              keeps = true;
            },
          });
          await query(keeps ? "COMMIT" : "ROLLBACK");
          return done;
        } catch (error) {
          // The first fault is the one to tell of.
          await query("ROLLBACK").catch(() => undefined);
          throw error;
        }
      }),
  };
}

/** What better-sqlite3's `Database` and node:sqlite's `DatabaseSync` have in common. */
export interface SqliteDatabase {
  // The two type their parameters differently; what is bound here is text, numbers and null.
  prepare(sql: string): { run(...parameters: any[]): { changes: number | bigint }; all(...parameters: any[]): unknown[] };
}

/** A database of SQLite, by better-sqlite3 or node:sqlite. It is one connection, so commands take turns on it. */
export function sqlite<D extends SqliteDatabase>(database: D): Store<D> {
  const query: Query = async (sql, parameters = []) => {
    const statement = database.prepare(sql);
    if (sql.startsWith("SELECT")) {
      return { changes: 0, rows: statement.all(...parameters) as Array<Record<string, unknown>> };
    }
    return { changes: Number(statement.run(...parameters).changes), rows: [] };
  };
  let turn: Promise<unknown> = Promise.resolve();
  return store<D>(SQLITE, (use) => {
    const next = turn.then(() => use(database, query));
    turn = next.catch(() => undefined);
    return next;
  });
}

/** What is used of a client of `pg`. */
export interface PostgresClient {
  query(sql: string, parameters?: unknown[]): Promise<{ rowCount: number | null; rows: Array<Record<string, unknown>> }>;
  release(error?: boolean): void;
}

/** A database of PostgreSQL, by a pool of `pg`. */
export function postgres<C extends PostgresClient>(pool: { connect(): Promise<C> }): Store<C> {
  return store<C>(POSTGRES, async (use) => {
    const client = await pool.connect();
    let broken = true;
    try {
      const used = await use(client, async (sql, parameters = []) => {
        const { rowCount, rows } = await client.query(sql, [...parameters]);
        return { changes: rowCount ?? 0, rows };
      });
      broken = false;
      return used;
    } finally {
      // After a fault nobody knows what the connection is in the middle of.
      client.release(broken);
    }
  });
}
