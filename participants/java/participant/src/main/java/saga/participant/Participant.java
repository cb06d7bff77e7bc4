package saga.participant;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;

/**
 * Answers commands. How they travel is the business of {@link KafkaService}. Any number of threads may call it, and any
 * number of processes may share its database.
 */
public final class Participant {
    /** To a do whose deadline is over, with {@code retry}. */
    static final String EXPIRED = "expired";
    /** To a do that was taken back, with {@code failed}. */
    static final String ALREADY_UNDONE = "already-undone";
    /** To an undo of what is under way, with {@code retry}. */
    static final String STILL_DOING = "still-doing";
    /** The database does not answer, with {@code retry}. */
    static final String STORE = "store";
    /** A handler threw what it should not, with {@code retry}. */
    static final String FAULT = "fault";
    /** A handler's reply is no JSON, or too large, with {@code retry}. */
    static final String UNWRITABLE_REPLY = "unwritable-reply";
    /** The participant knows no such command, with {@code retry}: a newer one may. */
    static final String UNKNOWN_CALL = "unknown-call";
    /** The request does not fit what the handler takes, with {@code failed}. */
    static final String UNFIT_REQUEST = "unfit-request";

    /**
     * How long a row that is {@code done} or {@code failed} outlives its time. Its saga may wait for a person for weeks and
     * then take it back, and an undo that finds no row takes nothing back. Or the orchestrator may be down for longer than
     * the row is kept and repeat the command before it reads that it failed: done then, nobody would take it back.
     */
    private static final Duration KEEP_ANSWERS = Duration.ofDays(400);

    /** How long the world may still take to answer interrupted work once its participant is to end. */
    private static final Duration ABANDON_AFTER = Duration.ofSeconds(5);

    private static final Logger LOG = System.getLogger(Participant.class.getName());

    /** Does a command in the guard's own transaction; gives its reply, an object that Jackson can write. */
    @FunctionalInterface
    public interface Work<Q> {
        Object run(Connection transaction, Q request, Command command) throws Exception;
    }

    /**
     * Takes a command back. It is given the reply of the work that it takes back, since the saga may not have seen it; null
     * where the compensation is a work of its own and {@link Command#request} says what is meant.
     */
    @FunctionalInterface
    public interface Undo<R> {
        void run(Connection transaction, R done, Command command) throws Exception;
    }

    /** Does a command that no transaction can hold. It must recognise {@link Command#id} when it is called again. */
    @FunctionalInterface
    public interface Outside<Q> {
        Object run(Q request, Command command) throws Exception;
    }

    /** A handler, before what it takes is read from JSON. */
    private sealed interface Handler {
        @FunctionalInterface
        non-sealed interface Works extends Handler {
            Object run(Connection transaction, Command command) throws Exception;
        }

        @FunctionalInterface
        non-sealed interface Undoes extends Handler {
            void run(Connection transaction, String done, Command command) throws Exception;
        }

        @FunctionalInterface
        non-sealed interface WorksOutside extends Handler {
            Object run(Command command) throws Exception;
        }
    }

    /** What a delivery is answered. */
    private record Answer(String status, String code, String message, String payload) {
        static Answer succeeded(String reply) {
            return new Answer("succeeded", null, null, reply);
        }

        static Answer failed(String code, String message) {
            return new Answer("failed", code, message, "");
        }

        /** The reply's data. */
        String data() {
            return message == null ? payload : Json.write(Json.object().put("message", message));
        }

        /** What the row keeps of it, in the form of all libraries: the data, and of a refusal its code and message. */
        String toKeep() {
            if (!status.equals("failed")) {
                return payload;
            }
            ObjectNode kept = Json.object().put("code", code);
            return Json.write(message == null ? kept : kept.put("message", message));
        }

        /** The answer that a row keeps. */
        static Answer kept(Transaction.Row row) throws SQLException {
            String reply = row.reply() == null ? "{}" : row.reply();
            if (row.state() != State.FAILED) {
                return succeeded(reply);
            }
            JsonNode kept;
            try {
                kept = Json.read(reply, JsonNode.class);
            } catch (JsonProcessingException error) {
                throw new SQLException("the guard's row does not hold its refusal", error);
            }
            if (!kept.path("code").isTextual()) {
                throw new SQLException("the guard's row does not hold the code of its refusal");
            }
            return failed(kept.get("code").asText(), kept.path("message").textValue());
        }

        static Answer retry(String code) {
            return new Answer("retry", code, null, "");
        }

        static Answer pending() {
            return new Answer("pending", null, null, "");
        }

        boolean isFinal() {
            return status.equals("succeeded") || status.equals("failed");
        }
    }

    /** Tells a late reply: returns once it is acknowledged, or refused for good; throws where it may work later. */
    @FunctionalInterface
    public interface Tell {
        void tell(Message command, Message reply) throws Exception;
    }

    private final String name;
    private final DataSource database;
    private final Dialect dialect;
    private final Map<String, Handler> handlers;
    private final Clock clock;
    /** Work outside transactions that this process is doing, so that {@link #resume} leaves it alone. */
    private final Set<String> running = ConcurrentHashMap.newKeySet();

    private Participant(Builder builder, Dialect dialect) {
        this.name = builder.name;
        this.database = builder.database;
        this.dialect = dialect;
        this.handlers = Map.copyOf(builder.handlers);
        this.clock = builder.clock;
    }

    /** A participant without commands, named as in the definition, that works in this database. */
    public static Builder builder(String name, DataSource database) {
        return new Builder(name, database);
    }

    /** Collects what a participant does. */
    public static final class Builder {
        private final String name;
        private final DataSource database;
        private final Map<String, Handler> handlers = new HashMap<>();
        private Clock clock = Clock.systemUTC();

        private Builder(String name, DataSource database) {
            this.name = name;
            this.database = database;
        }

        /** Does a command of the contract, in the guard's own transaction. */
        public <Q> Builder command(String call, Class<Q> request, Work<Q> work) {
            return handler(call, (Handler.Works) (transaction, command) ->
                    work.run(transaction, command.request(request), command));
        }

        /** Takes a command back; {@code done} is what that answered. */
        public <R> Builder undo(String call, Class<R> done, Undo<R> undo) {
            return handler(call, (Handler.Undoes) (transaction, reply, command) ->
                    undo.run(transaction, reply == null ? null : Json.read(reply, done), command));
        }

        /**
         * Does a command outside of any transaction: its begin is committed first, and it is called again after a crash or
         * a fault, by {@link Participant#resume}.
         */
        public <Q> Builder outside(String call, Class<Q> request, Outside<Q> work) {
            return handler(call, (Handler.WorksOutside) command -> work.run(command.request(request), command));
        }

        /** Another clock, which deadlines are compared with. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /**
         * Makes the guard's table, where there is none.
         *
         * @throws SQLException the database does not answer, may not be written, or is none that the guard has SQL for
         */
        public Participant build() throws SQLException {
            try (Connection connection = database.getConnection()) {
                Dialect dialect = Dialect.of(connection);
                try (Statement statement = connection.createStatement()) {
                    if (!isThere(statement)) {
                        statement.execute(dialect.create());
                    }
                }
                return new Participant(this, dialect);
            }
        }

        private Builder handler(String call, Handler handler) {
            if (handlers.put(call, handler) != null) {
                throw new IllegalArgumentException("the command " + call + " has two handlers");
            }
            return this;
        }

        /** Asked first, since one may be allowed to use a table and not to make any. */
        private static boolean isThere(Statement statement) {
            try {
                statement.executeQuery(Dialect.IS_THERE).close();
                return true;
            } catch (SQLException missing) {
                return false;
            }
        }
    }

    /** Its name. */
    public String name() {
        return name;
    }

    /**
     * Answers a command; blocks for as long as the handler and the database do.
     *
     * @throws UnreadableException the message is no command: there is nobody to answer
     */
    public Message handle(Message message) throws UnreadableException {
        Command command = Command.read(message);
        Answer answer;
        try {
            answer = answer(command);
        } catch (SQLException error) {
            LOG.log(Level.WARNING, () -> "the database failed; " + command.id() + " is answered `retry`", error);
            answer = Answer.retry(STORE);
        }
        return reply(command, answer);
    }

    /**
     * Ends the work outside transactions that a crash or a passing fault interrupted, one row after the other, and has each
     * reply told. What cannot be done, or told, for now stays for the next call. To be called at every start and now and then.
     *
     * <p>Nobody asks behind a {@code pending}: so a row is {@code doing} until its reply is told. A process that dies before it
     * has written that asks and tells again, by the same key, which changes nothing.
     *
     * @param stop completes when the participant is to end: no further row is begun, and a world that does not answer is soon
     *     abandoned, with its row {@code doing}
     * @throws SQLException the database does not answer
     */
    public void resume(Tell tell, CompletableFuture<?> stop) throws SQLException, InterruptedException {
        Map<String, String> begun = new LinkedHashMap<>();
        try (Connection connection = database.getConnection();
                PreparedStatement doing = connection.prepareStatement(Dialect.DOING);
                ResultSet rows = doing.executeQuery()) {
            while (rows.next()) {
                begun.put(rows.getString(1), rows.getString(2));
            }
        }
        for (Map.Entry<String, String> row : begun.entrySet()) {
            if (stop.isDone()) {
                return;
            }
            Command command;
            try {
                command = Command.read(Message.kept(row.getValue() == null ? "" : row.getValue()));
            } catch (UnreadableException error) {
                LOG.log(Level.ERROR, "the guard's row of " + row.getKey() + " is `doing` and does not hold its command", error);
                continue;
            }
            if (!(handlers.get(command.call()) instanceof Handler.WorksOutside outside)) {
                LOG.log(Level.ERROR, "nobody does " + command.call() + " any more; " + command.id() + " stays `doing`");
                continue;
            }
            if (!running.add(command.id())) {
                continue;
            }
            try {
                takeUp(outside, command, tell, stop);
            } catch (InterruptedException interrupted) {
                throw interrupted;
            } catch (Exception | Error error) {
                LOG.log(Level.WARNING, "what became of " + command.id() + " is not told yet; it is taken up again", error);
            } finally {
                running.remove(command.id());
            }
        }
    }

    /**
     * Removes rows of the guard that no delivery can ask for any more; returns how many. To be called now and then.
     *
     * @throws SQLException the database does not answer
     */
    public int purge() throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement purge = connection.prepareStatement(Dialect.PURGE)) {
            purge.setLong(1, clock.millis());
            purge.setLong(2, clock.millis() - KEEP_ANSWERS.toMillis());
            return purge.executeUpdate();
        }
    }

    private Answer answer(Command command) throws SQLException {
        String id = command.id();
        Verdict.Ask ask = Verdict.Ask.of(command, clock.millis());
        Handler handler = handlers.get(command.call());
        Handler.WorksOutside begun = null;
        try (Transaction open = Transaction.begin(database, dialect)) {
            boolean isNew = ask.claims() && open.claim(id, command.keepUntil());
            Transaction.Row row = isNew ? null : open.find(id);
            switch (Verdict.of(ask, row == null ? null : row.state())) {
                case WORK -> {
                    if (handler instanceof Handler.Works works) {
                        return work(open, command, () -> encode(works.run(open.forHandlers(), command)));
                    } else if (handler instanceof Handler.Undoes undoes) {
                        return work(open, command, () -> {
                            undoes.run(open.forHandlers(), null, command);
                            return "{}";
                        });
                    } else if (handler instanceof Handler.WorksOutside outside) {
                        begun = outside;
                        running.add(id);
                        open.settle(id, State.DOING, command.message().write(), command.keepUntil());
                        open.commit();
                    } else {
                        return Answer.retry(UNKNOWN_CALL);
                    }
                }
                case COMPENSATE -> {
                    return compensate(open, command, handler, Answer.kept(row).payload);
                }
                case FORBID -> {
                    return settle(open, command, State.UNDONE, Answer.succeeded("{}"));
                }
                case SAME_REPLY, UNDONE_BEFORE, PENDING, ALREADY_UNDONE -> {
                    if (row.keepUntil() < command.keepUntil()) {
                        open.settle(id, row.state(), row.reply(), command.keepUntil());
                        open.commit();
                    }
                    return known(row, ask);
                }
                case UNDO_LATER -> {
                    return Answer.retry(STILL_DOING);
                }
                case EXPIRED -> {
                    return Answer.retry(EXPIRED);
                }
                case UNKNOWN_COMMAND -> {
                    return new Answer("unknown-command", null, null, "");
                }
            }
        } catch (SQLException | RuntimeException | Error error) {
            if (begun != null) {
                running.remove(id);
            }
            throw error;
        }
        // The row is `doing` and committed, and no connection is held while the world is asked.
        try {
            Answer asked = ask(begun, command);
            return asked.isFinal() ? end(command, asked) : asked;
        } finally {
            running.remove(id);
        }
    }

    /** A handler's call, with its reply as JSON. */
    @FunctionalInterface
    private interface Attempt {
        String run() throws Exception;
    }

    /**
     * Calls a handler; whatever it throws is a refusal. Errors too, since a process that dies of a command dies of it again:
     * of a class that its deployment lacks, of an assertion, of a stack or a heap that this one command exhausts. Whoever
     * would rather lose the process that is out of memory has {@code -XX:+ExitOnOutOfMemoryError}, which comes first. An
     * interrupt is meant for the thread, so it goes on to whoever waits next.
     */
    private static String attempt(Command command, Attempt attempt) throws Refusal {
        try {
            return attempt.run();
        } catch (Refusal refusal) {
            throw refusal;
        } catch (SQLException error) {
            LOG.log(Level.WARNING, () -> "a statement of " + command.call() + " failed: " + command.id(), error);
            throw Refusal.retry(STORE);
        } catch (Exception | Error error) {
            if (error instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            LOG.log(Level.ERROR, () -> "the handler of " + command.call() + " threw: " + command.id(), error);
            throw Refusal.retry(FAULT);
        }
    }

    /** A refusal leaves nothing but its row, a passing fault not even that. */
    private Answer work(Transaction open, Command command, Attempt attempt) throws SQLException {
        open.mark();
        String reply;
        try {
            reply = attempt(command, attempt);
        } catch (Refusal refusal) {
            if (refusal.kind() == Refusal.Kind.RETRY) {
                return answer(refusal);
            }
            open.back();
            return settle(open, command, State.FAILED, answer(refusal));
        }
        return settle(open, command, State.DONE, Answer.succeeded(reply));
    }

    /** Writes what became of a command, and commits. */
    private Answer settle(Transaction open, Command command, State state, Answer answer) throws SQLException {
        open.settle(command.id(), state, answer.toKeep(), command.keepUntil());
        open.commit();
        return answer;
    }

    /** A compensation that is refused leaves the work done, and a person has to look. */
    private Answer compensate(Transaction open, Command command, Handler handler, String done)
            throws SQLException {
        Connection transaction = open.forHandlers();
        String reply;
        try {
            if (handler instanceof Handler.Undoes undoes) {
                reply = attempt(command, () -> {
                    undoes.run(transaction, done, command);
                    return "{}";
                });
            } else if (handler instanceof Handler.Works works) {
                reply = attempt(command, () -> encode(works.run(transaction, command)));
            } else {
                return Answer.retry(UNKNOWN_CALL);
            }
        } catch (Refusal refusal) {
            return answer(refusal);
        }
        return settle(open, command, State.UNDONE, Answer.succeeded(reply));
    }

    private void takeUp(Handler.WorksOutside outside, Command command, Tell tell, CompletableFuture<?> stop) throws Exception {
        Answer asked = askUnlessAbandoned(outside, command, stop);
        if (!asked.isFinal()) {
            return;
        }
        Answer told;
        try (Transaction open = Transaction.begin(database, dialect)) {
            Transaction.Row row = open.find(command.id());
            told = isEnded(row) ? known(row, Verdict.Ask.DO) : asked;
        }
        tell.tell(command.message(), reply(command, told));
        end(command, asked);
    }

    private Answer askUnlessAbandoned(Handler.WorksOutside outside, Command command, CompletableFuture<?> stop) {
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        Thread asking = new Thread(() -> answer.completeAsync(() -> ask(outside, command), Runnable::run), "saga-outside");
        // The process does not wait for one that is abandoned.
        asking.setDaemon(true);
        asking.start();
        CompletableFuture.anyOf(answer, stop).join();
        // It is there, or there is little time left; what comes later is dropped.
        Answer asked = answer.completeOnTimeout(Answer.pending(), ABANDON_AFTER.toMillis(), TimeUnit.MILLISECONDS).join();
        // Does nothing to one that has answered.
        asking.interrupt();
        return asked;
    }

    /** Asks the world; {@code pending} where it does not answer. */
    private static Answer ask(Handler.WorksOutside outside, Command command) {
        try {
            return Answer.succeeded(attempt(command, () -> encode(outside.run(command))));
        } catch (Refusal refusal) {
            if (refusal.kind() == Refusal.Kind.FAILED) {
                return answer(refusal);
            }
            // Whether it worked is unknown, so it stays `doing`: nothing else may begin under this id.
            LOG.log(Level.WARNING, () -> command.id() + " is not done yet (" + refusal.code() + "); it is taken up again");
            return Answer.pending();
        }
    }

    /** Writes what the world answered, where the row is {@code doing} still; gives what stands then. */
    private Answer end(Command command, Answer asked) throws SQLException {
        try (Transaction open = Transaction.begin(database, dialect)) {
            Transaction.Row row = open.find(command.id());
            if (isEnded(row)) {
                return known(row, Verdict.Ask.DO);
            }
            return settle(open, command, asked.status.equals("failed") ? State.FAILED : State.DONE, asked);
        }
    }

    /** Whether another process took work outside up too, and ended it; it may have been taken back since. */
    private static boolean isEnded(Transaction.Row row) {
        return row != null && row.state() != State.DOING;
    }

    /** What a row answers by itself. */
    private static Answer known(Transaction.Row row, Verdict.Ask ask) throws SQLException {
        return switch (row.state()) {
            case DOING -> Answer.pending();
            case DONE, FAILED -> Answer.kept(row);
            case UNDONE -> ask == Verdict.Ask.UNDO ? Answer.kept(row) : Answer.failed(ALREADY_UNDONE, null);
        };
    }

    private static Answer answer(Refusal refusal) {
        return refusal.kind() == Refusal.Kind.FAILED
                ? Answer.failed(refusal.code(), refusal.getMessage())
                : Answer.retry(refusal.code());
    }

    /** A reply that is no JSON, or too large, is a defect of the participant: nothing of it stays, and it is seen. */
    private static String encode(Object reply) {
        try {
            String written = Json.write(reply);
            String text = written.equals("null") ? "{}" : written;
            if (text.getBytes(StandardCharsets.UTF_8).length <= Json.DATA_MAX) {
                return text;
            }
            LOG.log(Level.ERROR, () -> "a handler's reply has over " + Json.DATA_MAX + " bytes");
        } catch (IllegalArgumentException error) {
            LOG.log(Level.ERROR, "a handler's reply cannot be written as JSON", error);
        }
        throw Refusal.retry(UNWRITABLE_REPLY);
    }

    private Message reply(Command command, Answer answer) {
        Message asked = command.message();
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put(Attribute.SPEC_VERSION, "1.0");
        attributes.put(Attribute.TYPE, Attribute.REPLY_TYPE);
        String event = command.id() + "/" + command.kind().word() + "/" + command.attempt() + "/" + answer.status;
        attributes.put(Attribute.ID, event);
        attributes.put(Attribute.SOURCE, "/participants/" + name);
        if (asked.attribute(Attribute.TRACEPARENT) != null) {
            attributes.put(Attribute.TRACEPARENT, asked.attribute(Attribute.TRACEPARENT));
        }
        attributes.put(Attribute.COMMAND, command.id());
        attributes.put(Attribute.KIND, command.kind().word());
        attributes.put(Attribute.ATTEMPT, Integer.toString(command.attempt()));
        attributes.put(Attribute.STATUS, answer.status);
        if (answer.code != null) {
            attributes.put(Attribute.CODE, answer.code);
        }
        return new Message(asked.key(), attributes, answer.data());
    }
}
