package payments;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteDataSource;
import saga.participant.Command;
import saga.participant.KafkaService;
import saga.participant.Participant;
import saga.participant.Refusal;

/** Money in accounts. What is charged is booked from the account in the guard's transaction, in cents. */
public final class Payments {
    private static final String USAGE = "--kafka HOST:PORT --store FILE [--topic NAME] [--group NAME] [--account NAME=AMOUNT]…";

    record Charge(String traveller, BigDecimal amount) {
        Charge {
            // What is missing is refused, instead of failing in the middle of the work.
            if (traveller == null || amount == null) {
                throw new IllegalArgumentException("a charge needs its traveller and its amount");
            }
        }
    }

    record Charged(String receipt) {}

    private Payments() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>(Map.of("--topic", "payment.commands", "--group", "payments"));
        List<String> accounts = new ArrayList<>();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            if (arguments[at].equals("--account")) {
                accounts.add(arguments[at + 1]);
            } else {
                options.put(arguments[at], arguments[at + 1]);
            }
        }
        if (arguments.length % 2 != 0 || !options.keySet().equals(Set.of("--kafka", "--store", "--topic", "--group"))) {
            System.err.println("usage: java -jar payments.jar " + USAGE);
            System.exit(2);
        }
        SQLiteDataSource database = open(options.get("--store"), accounts);
        Participant payments = Participant.builder("payments", database)
                .command("Charge", Charge.class, Payments::charge)
                .undo("Refund", Charged.class, Payments::refund)
                .build();
        Map<String, String> settings =
                Map.of("bootstrap.servers", options.get("--kafka"), "group.id", options.get("--group"));
        try (KafkaService service = new KafkaService(payments, options.get("--topic"), settings)) {
            Runtime.getRuntime().addShutdownHook(new Thread(service::close));
            service.run();
        }
    }

    private static Charged charge(Connection transaction, Charge charge, Command command) throws SQLException {
        long cents = cents(charge.amount);
        try (PreparedStatement book = transaction.prepareStatement(
                "UPDATE accounts SET cents = cents - ? WHERE name = ? AND cents >= ?")) {
            book.setLong(1, cents);
            book.setString(2, charge.traveller);
            book.setLong(3, cents);
            if (book.executeUpdate() == 0) {
                throw Refusal.failed("declined");
            }
        }
        try (PreparedStatement receipt = transaction.prepareStatement("INSERT INTO charges VALUES (?, ?, ?, ?)")) {
            receipt.setString(1, command.id());
            receipt.setString(2, charge.traveller);
            receipt.setLong(3, cents);
            receipt.setString(4, command.message().key());
            receipt.executeUpdate();
        }
        return new Charged(command.id());
    }

    /** For sagas that take a charge back; the booking does not, since its charge is the point of no return. */
    private static void refund(Connection transaction, Charged charged, Command command) throws SQLException {
        try (PreparedStatement book = transaction.prepareStatement("UPDATE accounts SET cents = accounts.cents + charges.cents"
                + " FROM charges WHERE name = charges.account AND receipt = ?")) {
            book.setString(1, command.id());
            book.executeUpdate();
        }
        try (PreparedStatement receipt = transaction.prepareStatement("DELETE FROM charges WHERE receipt = ?")) {
            receipt.setString(1, command.id());
            receipt.executeUpdate();
        }
    }

    private static SQLiteDataSource open(String file, List<String> accounts) throws SQLException {
        SQLiteConfig config = new SQLiteConfig();
        config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
        config.setBusyTimeout(5_000);
        SQLiteDataSource database = new SQLiteDataSource(config);
        database.setUrl("jdbc:sqlite:" + file);
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE IF NOT EXISTS accounts ("
                    + "name TEXT PRIMARY KEY, paid_in BIGINT NOT NULL, cents BIGINT NOT NULL CHECK (cents >= 0))");
            statement.execute("CREATE TABLE IF NOT EXISTS charges ("
                    + "receipt TEXT PRIMARY KEY, account TEXT NOT NULL, cents BIGINT NOT NULL, booking TEXT NOT NULL)");
            for (String account : accounts) {
                int at = account.indexOf('=');
                long cents = cents(new BigDecimal(account.substring(at + 1)));
                try (PreparedStatement add = connection.prepareStatement("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)")) {
                    add.setString(1, account.substring(0, at));
                    add.setLong(2, cents);
                    add.setLong(3, cents);
                    add.executeUpdate();
                }
            }
        }
        return database;
    }

    /** Nobody pays less than nothing, or half a cent. */
    private static long cents(BigDecimal amount) {
        try {
            long cents = amount.movePointRight(2).longValueExact();
            if (cents >= 0) {
                return cents;
            }
        } catch (ArithmeticException uneven) {
            // Said below.
        }
        throw Refusal.failed("declined", amount + " is no amount in whole cents");
    }
}
