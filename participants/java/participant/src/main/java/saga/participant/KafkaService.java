package saga.participant;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A participant on its topic of commands.
 *
 * <p>A batch is read, answered (partitions at once, each in its order), its replies are acknowledged, and only then are its
 * offsets committed: after a crash in between it comes again, which the guard makes harmless. What cannot be read or
 * answered is logged and passed over, so that nothing blocks a partition.
 */
public final class KafkaService implements Runnable, AutoCloseable {
    /** How long a read waits for commands; closing does not wait for it. */
    private static final Duration POLL = Duration.ofSeconds(1);

    /** How long the broker may take to say whether a reply's topic exists. */
    private static final Duration ASK = Duration.ofSeconds(10);

    /** Commands of a batch: few enough that slow handlers are done before the group takes the member for dead. */
    private static final int BATCH_MAX = 100;

    /** Partitions that are worked on at once: a database has little use for more connections from one process. */
    private static final int WORKERS = 4;

    /** How long a message that met a passing fault waits for the next try. */
    private static final Duration TAKE_AGAIN = Duration.ofSeconds(1);

    /**
     * How long a late reply waits for the broker to say whether its topic exists, and then to acknowledge it. Told again, it
     * is in the producer more than once, but one by one, and each for {@code delivery.timeout.ms} at most.
     */
    private static final Duration TELL_WITHIN = Duration.ofSeconds(10);

    /** How long the end waits for what is told yet: longer than that takes, if the database answers. */
    private static final Duration END_WITHIN = Duration.ofSeconds(25);

    /** How often work outside the database that was interrupted is taken up again. */
    private static final Duration RESUME_EVERY = Duration.ofSeconds(10);

    /** How often rows of the guard that nobody can ask for are removed. */
    private static final Duration PURGE_EVERY = Duration.ofMinutes(10);

    private static final Logger LOG = System.getLogger(KafkaService.class.getName());

    private final Participant participant;
    private final String topic;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Producer<byte[], byte[]> producer;
    /** For late replies: a consumer may be asked by one thread alone, and a producer cannot tell that a topic has gone. */
    private final Admin admin;
    private final ExecutorService workers = Executors.newFixedThreadPool(WORKERS);
    private final ScheduledExecutorService upkeep = Executors.newSingleThreadScheduledExecutor(work -> {
        Thread thread = new Thread(work, "saga-upkeep");
        // A database that does not answer it does not hold the process.
        thread.setDaemon(true);
        return thread;
    });
    private final CountDownLatch ended = new CountDownLatch(1);
    /** How many partitions each topic has that is known to exist. */
    private final Map<String, Integer> replyTopics = new HashMap<>();
    private volatile boolean runs;
    private final CompletableFuture<Void> stop = new CompletableFuture<>();

    /**
     * Connects.
     *
     * @param topic where the definition sends the commands
     * @param settings of Kafka's clients; {@code bootstrap.servers} at least. The group is {@code group.id}, else the
     *     participant's name.
     */
    public KafkaService(Participant participant, String topic, Map<String, ?> settings) {
        this(participant, topic, settings, producer(settings));
    }

    /** With a producer that a test has made. */
    KafkaService(Participant participant, String topic, Map<String, ?> settings, Producer<byte[], byte[]> producer) {
        this.participant = participant;
        this.topic = topic;
        this.producer = producer;
        Map<String, Object> consuming = new HashMap<>(Map.of(
                ConsumerConfig.GROUP_ID_CONFIG, participant.name(),
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
                ConsumerConfig.MAX_POLL_RECORDS_CONFIG, BATCH_MAX));
        consuming.putAll(taken(settings, ConsumerConfig.configNames()));
        // A process that is killed keeps its partitions so long. 45 s by default: longer than all attempts of a command may take
        // together. A group by KIP-848 has it from the broker.
        if (!"consumer".equalsIgnoreCase(String.valueOf(consuming.get("group.protocol")))) {
            consuming.putIfAbsent(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 10_000);
        }
        consuming.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        consuming.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        // A command whose transaction was aborted was never sent.
        consuming.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        consumer = new KafkaConsumer<>(consuming, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        admin = Admin.create(taken(settings, AdminClientConfig.configNames()));
    }

    private static Producer<byte[], byte[]> producer(Map<String, ?> settings) {
        Map<String, Object> producing = new HashMap<>(Map.of(
                ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Message.MAX,
                // Each reply is waited for.
                ProducerConfig.LINGER_MS_CONFIG, 0));
        producing.putAll(taken(settings, ProducerConfig.configNames()));
        producing.put(ProducerConfig.ACKS_CONFIG, "all");
        producing.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        return new KafkaProducer<>(producing, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** What of them a client takes: its own, and what none knows, such as those of a plug-in. */
    private static Map<String, Object> taken(Map<String, ?> settings, Set<String> own) {
        Map<String, Object> taken = new HashMap<>(settings);
        taken.keySet().removeIf(key -> !own.contains(key)
                && (ConsumerConfig.configNames().contains(key)
                        || ProducerConfig.configNames().contains(key)
                        || AdminClientConfig.configNames().contains(key)));
        return taken;
    }

    /** Answers commands until {@link #close}; throws what needs a person, such as a login that is refused. */
    @Override
    public void run() {
        runs = true;
        nowAndThen(RESUME_EVERY, "interrupted work cannot be taken up", () -> participant.resume(this::tell, stop));
        nowAndThen(PURGE_EVERY, "the guard's old rows cannot be removed", participant::purge);
        try {
            consumer.subscribe(List.of(topic));
            while (!stop.isDone()) {
                try {
                    answerAll(consumer.poll(POLL));
                } catch (CommitFailedException | RetriableException error) {
                    // Others have the partitions now, or the broker is away: what was not committed comes again.
                    LOG.log(Level.WARNING, "commands are read again, for now: " + error.getMessage());
                }
            }
        } catch (WakeupException closed) {
            // By `close`.
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } finally {
            stop();
        }
    }

    /** Ends what is under way, with a record or a late reply, begins nothing more, and disconnects. */
    @Override
    public void close() {
        stop.complete(null);
        if (!runs) {
            stop();
            return;
        }
        consumer.wakeup();
        try {
            ended.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void stop() {
        stop.complete(null);
        upkeep.shutdown();
        workers.shutdown();
        try {
            // First, so that others have its partitions soon.
            consumer.close();
            if (!upkeep.awaitTermination(END_WITHIN.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.log(Level.WARNING, "the end does not wait any longer for work that was taken up");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } finally {
            // What is not acknowledged is not committed, and not `done`.
            producer.close(Duration.ZERO);
            admin.close(Duration.ZERO);
            ended.countDown();
        }
    }

    /** A reply on its way, to which command, and where that stands; the reply is null if nobody is answered. */
    private record Sent(long offset, Message command, Future<RecordMetadata> reply) {}

    private void answerAll(ConsumerRecords<byte[], byte[]> records) throws InterruptedException {
        if (records.isEmpty()) {
            return;
        }
        // What of it is not answered in the end is read again.
        Map<TopicPartition, Long> again = new HashMap<>();
        records.partitions().forEach(partition -> again.put(partition, records.records(partition).get(0).offset()));
        Map<TopicPartition, OffsetAndMetadata> answered = new HashMap<>();
        try {
            List<TopicPartition> partitions = List.copyOf(again.keySet());
            List<Callable<List<Sent>>> work = new ArrayList<>();
            for (TopicPartition partition : partitions) {
                List<Read> read = records.records(partition).stream().map(this::read).toList();
                work.add(() -> answer(read));
            }
            List<Future<List<Sent>>> sent = workers.invokeAll(work);
            for (int at = 0; at < partitions.size(); at++) {
                TopicPartition partition = partitions.get(at);
                long next = acknowledged(partition, sent.get(at).get(), again.get(partition));
                answered.put(partition, new OffsetAndMetadata(next));
                boolean all = next > records.records(partition).get(records.records(partition).size() - 1).offset();
                again.compute(partition, (same, from) -> all ? null : next);
            }
        } catch (ExecutionException error) {
            throw new IllegalStateException("commands cannot be answered", error.getCause());
        } finally {
            again.forEach(consumer::seek);
        }
        try {
            consumer.commitSync(answered);
        } catch (WakeupException closed) {
            consumer.commitSync(answered);
            throw closed;
        }
    }

    /** A record, and what it holds; null if nobody can read that. */
    private record Read(ConsumerRecord<byte[], byte[]> record, Message command) {}

    private Read read(ConsumerRecord<byte[], byte[]> record) {
        try {
            String key = record.key() == null ? "" : Message.text(record.key());
            Message command = Message.read(key, record.value() == null ? new byte[0] : record.value());
            learnReplyTopic(command.attribute(Attribute.REPLY_TO));
            return new Read(record, command);
        } catch (UnreadableException error) {
            passOver(record, null, error);
            return new Read(record, null);
        }
    }

    private List<Sent> answer(List<Read> commands) {
        List<Sent> sent = new ArrayList<>(commands.size());
        for (Read read : commands) {
            if (stop.isDone()) {
                // The rest is read again, by whoever has the partition then.
                return sent;
            }
            long offset = read.record.offset();
            Message command = read.command;
            try {
                if (command == null) {
                    sent.add(new Sent(offset, command, null));
                    continue;
                }
                if (isMessage(command)) {
                    if (!isTaken(command)) {
                        // Read again, and what is behind it with it.
                        return sent;
                    }
                    sent.add(new Sent(offset, command, null));
                    continue;
                }
                ProducerRecord<byte[], byte[]> address =
                        address(command, replyTopics.get(command.attribute(Attribute.REPLY_TO)));
                Message reply = participant.handle(command);
                sent.add(new Sent(offset, command, producer.send(addressed(address, reply))));
            } catch (UnreadableException error) {
                passOver(read.record, command, error);
                sent.add(new Sent(offset, command, null));
            }
        }
        return sent;
    }

    private void passOver(ConsumerRecord<byte[], byte[]> record, Message command, UnreadableException error) {
        String id = command == null ? null : command.attribute(Attribute.COMMAND);
        LOG.log(Level.WARNING, () -> "a record is passed over: %s, partition %d, offset %d%s: %s"
                .formatted(topic, record.partition(), record.offset(), id == null ? "" : ", " + id, error.getMessage()));
    }

    private static boolean isMessage(Message command) {
        return Command.Kind.MESSAGE.word().equals(command.attribute(Attribute.KIND));
    }

    /** Whether a message, which nobody repeats and nobody answers, is dealt with. */
    private boolean isTaken(Message message) throws UnreadableException {
        Message reply = participant.handle(message);
        String id = message.attribute(Attribute.COMMAND);
        String status = reply.attribute(Attribute.STATUS);
        String code = reply.attribute(Attribute.CODE);
        if (Participant.UNKNOWN_CALL.equals(code)) {
            LOG.log(Level.ERROR, "nobody here takes the message " + id + ", a " + message.attribute(Attribute.CALL) + ": it is passed over");
            return true;
        }
        if ("failed".equals(status)) {
            LOG.log(Level.WARNING, "the message " + id + " was refused, which its saga never hears: " + code);
        }
        if (!"retry".equals(status)) {
            return true;
        }
        LOG.log(Level.WARNING, "the message " + id + " cannot be taken for now, and what is behind it waits: " + code);
        try {
            Thread.sleep(TAKE_AGAIN.toMillis());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return false;
    }

    /** The offset behind the last command of which all is done. */
    private long acknowledged(TopicPartition partition, List<Sent> sent, long from) throws InterruptedException {
        long next = from;
        for (Sent one : sent) {
            try {
                if (one.reply != null) {
                    one.reply.get();
                }
            } catch (ExecutionException error) {
                String to = one.command.attribute(Attribute.REPLY_TO);
                String what = "the reply to %s (%s, partition %d, offset %d)"
                        .formatted(one.command.attribute(Attribute.COMMAND), topic, partition.partition(), one.offset);
                if (!isForGood(error.getCause())) {
                    // The topic may have gone: it is asked for anew, and one that is not there stops nothing.
                    replyTopics.remove(to);
                    LOG.log(Level.WARNING, what + " is not acknowledged; its command is answered again", error.getCause());
                    return next;
                }
                LOG.log(Level.ERROR, what + " cannot be written to `" + to + "`, and its step hears nothing until it asks again",
                        error.getCause());
            }
            next = one.offset + 1;
        }
        return next;
    }

    /** Whether the log refuses a reply however often it is sent. */
    private static boolean isForGood(Throwable error) {
        return error instanceof RecordTooLargeException
                || error instanceof InvalidTopicException
                || error instanceof AuthorizationException;
    }

    /** Asks before a producer does: that waits a minute for a topic which does not exist, and cannot tell. */
    private void learnReplyTopic(String name) {
        if (name == null || name.isEmpty() || replyTopics.containsKey(name)) {
            return;
        }
        try {
            int partitions = consumer.partitionsFor(name, ASK).size();
            if (partitions > 0) {
                replyTopics.put(name, partitions);
            }
        } catch (InvalidTopicException | AuthorizationException error) {
            LOG.log(Level.ERROR, "replies to `" + name + "` cannot be sent: " + error.getMessage());
        }
    }

    /** Where the reply goes, to a topic of so many partitions, or null; without a value yet. */
    private static ProducerRecord<byte[], byte[]> address(Message command, Integer partitions) throws UnreadableException {
        String name = command.attribute(Attribute.REPLY_TO);
        if (name == null) {
            throw new UnreadableException("the attribute replyto is missing");
        }
        if (partitions == null) {
            throw new UnreadableException("there is no topic `" + name + "` for its reply");
        }
        String partition = command.attribute(Attribute.REPLY_PARTITION);
        if (partition == null) {
            return new ProducerRecord<>(name, null, null, null);
        }
        try {
            int number = Integer.parseInt(partition);
            if (number >= 0 && number < partitions) {
                return new ProducerRecord<>(name, number, null, null);
            }
        } catch (NumberFormatException wrong) {
            // Said below.
        }
        throw new UnreadableException("`" + name + "` has no partition `" + partition + "` for its reply");
    }

    private static ProducerRecord<byte[], byte[]> addressed(ProducerRecord<byte[], byte[]> address, Message reply) {
        byte[] key = reply.key().isEmpty() ? null : reply.key().getBytes(StandardCharsets.UTF_8);
        byte[] value = reply.write().getBytes(StandardCharsets.UTF_8);
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(address.topic(), address.partition(), key, value);
        record.headers().add("content-type", Message.CONTENT_TYPE.getBytes(StandardCharsets.UTF_8));
        return record;
    }

    /** Tells a late reply; see {@link Participant.Tell}. */
    private void tell(Message command, Message reply) throws Exception {
        if (isMessage(command)) {
            return;
        }
        String topic = command.attribute(Attribute.REPLY_TO);
        try {
            // Asked anew: since the command came, the topic may have gone.
            ProducerRecord<byte[], byte[]> address = address(command, topic == null ? null : partitions(topic));
            producer.send(addressed(address, reply)).get(TELL_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (UnreadableException error) {
            isNeverTold(command, error);
        } catch (ExecutionException error) {
            if (!isForGood(error.getCause())) {
                throw error;
            }
            isNeverTold(command, error.getCause());
        }
    }

    private static void isNeverTold(Message command, Throwable error) {
        LOG.log(Level.ERROR, "the late reply to " + command.attribute(Attribute.COMMAND)
                + " can never be sent, and its saga does not hear it", error);
    }

    /** How many partitions a topic has; null if there is none. */
    private Integer partitions(String topic) throws ExecutionException, InterruptedException, TimeoutException {
        try {
            return admin.describeTopics(List.of(topic))
                    .topicNameValues()
                    .get(topic)
                    .get(TELL_WITHIN.toMillis(), TimeUnit.MILLISECONDS)
                    .partitions()
                    .size();
        } catch (ExecutionException error) {
            if (error.getCause() instanceof UnknownTopicOrPartitionException) {
                return null;
            }
            throw error;
        }
    }

    @FunctionalInterface
    private interface Upkeep {
        void run() throws Exception;
    }

    /** Does it at once and then again, whatever it throws: a task that throws is not called again. */
    private void nowAndThen(Duration every, String fails, Upkeep work) {
        Runnable task = () -> {
            try {
                work.run();
            } catch (Exception | Error error) {
                LOG.log(Level.WARNING, fails + " for now", error);
            }
        };
        upkeep.scheduleWithFixedDelay(task, 0, every.toMillis(), TimeUnit.MILLISECONDS);
    }
}
