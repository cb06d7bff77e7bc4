package saga.participant;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Locale;

/**
 * The guard's SQL, for each database. Parameters in the order of their names: {@code claim} command, keep_until;
 * {@code find} command; {@code settle} state, reply, keep_until, command; {@code purge} now, and now less the time that
 * answers are kept beyond theirs.
 */
public enum Dialect {
    /** Its transactions have one writer, so the first statement takes the lock, that of {@code find} too. */
    SQLITE(
            "command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL",
            "INSERT INTO saga_guard (command, state, reply, keep_until) VALUES (?, 'doing', NULL, ?)"
                    + " ON CONFLICT (command) DO NOTHING",
            // A plain SELECT would read a snapshot that a later UPDATE may not write to.
            "UPDATE saga_guard SET keep_until = keep_until WHERE command = ? RETURNING state, reply, keep_until",
            "max"),
    /** READ COMMITTED is enough: the primary key makes a second delivery wait for the first. */
    POSTGRES(
            "command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL",
            "INSERT INTO saga_guard (command, state, reply, keep_until) VALUES (?, 'doing', NULL, ?)"
                    + " ON CONFLICT (command) DO NOTHING",
            Dialect.FIND_FOR_UPDATE,
            "greatest"),
    /** InnoDB. Ids are compared by bytes, hence the collation. */
    MYSQL(
            "command VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, state VARCHAR(8) NOT NULL,"
                    + " reply MEDIUMTEXT, keep_until BIGINT NOT NULL",
            "INSERT IGNORE INTO saga_guard (command, state, reply, keep_until) VALUES (?, 'doing', NULL, ?)",
            Dialect.FIND_FOR_UPDATE,
            "greatest");

    private static final String FIND_FOR_UPDATE =
            "SELECT state, reply, keep_until FROM saga_guard WHERE command = ? FOR UPDATE";

    /** All that is begun and not ended. */
    static final String DOING = "SELECT command, reply FROM saga_guard WHERE state = 'doing' ORDER BY command";

    /** Rows that no delivery can ask for any more. */
    static final String PURGE = "DELETE FROM saga_guard WHERE (state = 'undone' AND keep_until < ?)"
            + " OR (state IN ('done', 'failed') AND keep_until < ?)";

    /** Fails where there is no table. */
    static final String IS_THERE = "SELECT command, state, reply, keep_until FROM saga_guard WHERE 1 = 0";

    private final String create;
    private final String claim;
    private final String find;
    private final String settle;

    Dialect(String columns, String claim, String find, String greatest) {
        this.create = "CREATE TABLE IF NOT EXISTS saga_guard (" + columns + ")";
        this.claim = claim;
        this.find = find;
        this.settle = "UPDATE saga_guard SET state = ?, reply = ?, keep_until = " + greatest
                + "(keep_until, ?) WHERE command = ?";
    }

    /** The statement that makes the table, for those who make tables by migrations. */
    public String create() {
        return create;
    }

    String claim() {
        return claim;
    }

    String find() {
        return find;
    }

    String settle() {
        return settle;
    }

    /**
     * The dialect of a database.
     *
     * @throws SQLException the database cannot be asked, or is none of those
     */
    static Dialect of(Connection connection) throws SQLException {
        String product = connection.getMetaData().getDatabaseProductName();
        return switch (product.toLowerCase(Locale.ROOT)) {
            case "sqlite" -> SQLITE;
            case "postgresql" -> POSTGRES;
            case "mysql", "mariadb" -> MYSQL;
            default -> throw new SQLException("the guard has no SQL for " + product + ": see saga.participant.Dialect");
        };
    }
}
