package saga.participant;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import javax.sql.DataSource;

/** One transaction of the participant's database. Closed without {@link #commit}, it never was. */
final class Transaction implements AutoCloseable {
    /** What the guard knows of a command. */
    record Row(State state, String reply, long keepUntil) {}

    private final Connection connection;
    private final Dialect dialect;
    private final boolean autoCommit;
    private Savepoint mark;

    private Transaction(Connection connection, Dialect dialect, boolean autoCommit) {
        this.connection = connection;
        this.dialect = dialect;
        this.autoCommit = autoCommit;
    }

    static Transaction begin(DataSource database, Dialect dialect) throws SQLException {
        Connection connection = database.getConnection();
        try {
            boolean autoCommit = connection.getAutoCommit();
            connection.setAutoCommit(false);
            return new Transaction(connection, dialect, autoCommit);
        } catch (SQLException error) {
            connection.close();
            throw error;
        }
    }

    /** Inserts a row that is {@code doing} unless the command has one; says whether it did. */
    boolean claim(String command, long keepUntil) throws SQLException {
        try (PreparedStatement claim = connection.prepareStatement(dialect.claim())) {
            claim.setString(1, command);
            claim.setLong(2, keepUntil);
            return claim.executeUpdate() == 1;
        }
    }

    /** The command's row, locked; null if there is none. */
    Row find(String command) throws SQLException {
        try (PreparedStatement find = connection.prepareStatement(dialect.find())) {
            find.setString(1, command);
            try (ResultSet row = find.executeQuery()) {
                if (!row.next()) {
                    return null;
                }
                State state = State.of(row.getString(1));
                if (state == null) {
                    throw new SQLException("`" + row.getString(1) + "` is no state of a guard's row");
                }
                return new Row(state, row.getString(2), row.getLong(3));
            }
        }
    }

    /** Writes what became of a command, which has a row; how long that is kept never shrinks. */
    void settle(String command, State state, String reply, long keepUntil) throws SQLException {
        try (PreparedStatement settle = connection.prepareStatement(dialect.settle())) {
            settle.setString(1, state.word());
            settle.setString(2, reply);
            settle.setLong(3, keepUntil);
            settle.setString(4, command);
            if (settle.executeUpdate() != 1) {
                throw new SQLException("the guard's row of " + command + " has gone; nothing of its work stays");
            }
        }
    }

    /** Marks the place to which {@link #back} returns. */
    void mark() throws SQLException {
        mark = connection.setSavepoint();
    }

    /** Forgets what was written since {@link #mark}: a refusal leaves nothing but its row. */
    void back() throws SQLException {
        connection.rollback(mark);
    }

    void commit() throws SQLException {
        connection.commit();
    }

    /** The connection as handlers get it: whether and when it commits is the guard's business. */
    Connection forHandlers() {
        return (Connection) Proxy.newProxyInstance(
                Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                    boolean plain = arguments == null || arguments.length == 0;
                    switch (method.getName()) {
                        case "close" -> {
                            return null;
                        }
                        case "commit", "setAutoCommit", "abort" -> throw notYours(method.getName());
                        case "rollback" -> {
                            if (plain) {
                                throw notYours(method.getName());
                            }
                        }
                        default -> {}
                    }
                    try {
                        return method.invoke(connection, arguments);
                    } catch (InvocationTargetException error) {
                        throw error.getCause();
                    }
                });
    }

    private static SQLException notYours(String method) {
        return new SQLException("a handler may not call Connection." + method
                + ": the guard's row is committed together with its work, when the handler has returned");
    }

    @Override
    public void close() throws SQLException {
        try (connection) {
            // Does nothing behind a commit.
            connection.rollback();
            connection.setAutoCommit(autoCommit);
        }
    }
}
