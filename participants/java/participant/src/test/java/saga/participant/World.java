package saga.participant;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.sql.DataSource;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteDataSource;

/** A database that can crash before it commits, a clock that a test sets, and commands as an orchestrator writes them. */
final class World {
    static final long NOW = 1_700_000_000_000L;
    static final long DAY = 86_400_000L;

    boolean crashes;
    long now = NOW;
    private final SQLiteDataSource database;
    private final Queue<Connection> pool = new ConcurrentLinkedQueue<>();
    /** For what tests look up. */
    private final Connection reader;

    World(Path folder) throws SQLException {
        SQLiteConfig config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        // Only the process is meant to crash here, so nothing waits for the disk.
        config.setSynchronous(SQLiteConfig.SynchronousMode.OFF);
        database = new SQLiteDataSource(config);
        database.setUrl("jdbc:sqlite:" + folder.resolve("store.db"));
        reader = database.getConnection();
    }

    Participant.Builder participant(String name) {
        Clock clock = new Clock() {
            @Override
            public Instant instant() {
                return Instant.ofEpochMilli(now);
            }

            @Override
            public ZoneId getZone() {
                return ZoneId.of("UTC");
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        };
        DataSource crashing = (DataSource) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, arguments) -> crashing());
        return Participant.builder(name, crashing).clock(clock);
    }

    /** A connection of a pool, that fails at its commit if the participant is to crash. */
    private Connection crashing() throws SQLException {
        Connection pooled = pool.poll();
        Connection connection = pooled == null ? database.getConnection() : pooled;
        return (Connection) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                    if (crashes && method.getName().equals("commit")) {
                        throw new SQLException("the test lets it crash");
                    }
                    if (method.getName().equals("close")) {
                        pool.add(connection);
                        return null;
                    }
                    try {
                        return method.invoke(connection, arguments);
                    } catch (InvocationTargetException error) {
                        throw error.getCause();
                    }
                });
    }

    void execute(String sql) throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    long number(String sql, String... arguments) throws SQLException {
        return number(reader, sql, arguments);
    }

    static long number(Connection connection, String sql, String... arguments) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int at = 0; at < arguments.length; at++) {
                statement.setString(at + 1, arguments[at]);
            }
            try (ResultSet row = statement.executeQuery()) {
                return row.next() ? row.getLong(1) : -1;
            }
        }
    }

    String text(String sql) throws SQLException {
        try (PreparedStatement statement = reader.prepareStatement(sql);
                ResultSet row = statement.executeQuery()) {
            return row.getString(1);
        }
    }

    static int write(Connection connection, String sql, String... arguments) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int at = 0; at < arguments.length; at++) {
                statement.setString(at + 1, arguments[at]);
            }
            return statement.executeUpdate();
        }
    }

    /** A command of the instance, due in ten seconds. */
    static Message command(String instance, String kind, String call, String data) {
        String id = instance + "/1/reserve/1";
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put(Attribute.TYPE, Attribute.COMMAND_TYPE);
        attributes.put(Attribute.ID, id + "/" + kind + "/1");
        attributes.put(Attribute.INSTANCE, instance);
        attributes.put(Attribute.SAGA, "booking");
        attributes.put(Attribute.STEP, "reserve");
        attributes.put(Attribute.COMMAND, id);
        attributes.put(Attribute.CALL, call);
        attributes.put(Attribute.KIND, kind);
        attributes.put(Attribute.ATTEMPT, "1");
        attributes.put(Attribute.REPLY_TO, "saga.replies");
        attributes.put(Attribute.REPLY_PARTITION, "3");
        attributes.put(Attribute.DEADLINE, Long.toString(NOW + 10_000));
        attributes.put(Attribute.KEEP_UNTIL, Long.toString(NOW + 3_610_000));
        return new Message(instance, attributes, data);
    }

    /** The message with another value of an attribute; null removes it. */
    static Message with(Message message, String name, String value) {
        Map<String, String> attributes = new LinkedHashMap<>(message.attributes());
        attributes.remove(name);
        if (value != null) {
            attributes.put(name, value);
        }
        return new Message(message.key(), attributes, message.data());
    }

    /** A reply in short: its status, its code and, of what succeeded, its data. */
    static String shown(Message reply) {
        String status = reply.attribute(Attribute.STATUS);
        if (status.equals("succeeded")) {
            return status + " " + reply.data();
        }
        String code = reply.attribute(Attribute.CODE);
        return code == null ? status : status + " " + code;
    }
}
