package saga.participant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static saga.participant.World.command;
import static saga.participant.World.shown;
import static saga.participant.World.with;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** On a real broker, whose address the project's tests give. */
@EnabledIfEnvironmentVariable(named = "SAGA_TEST_KAFKA", matches = ".+")
@Timeout(120)
@SuppressWarnings("try") // that a service runs is all that is asked of it
final class KafkaServiceTest {
    private static final int PARTITIONS = 2;

    private final Map<String, Object> settings = Map.of("bootstrap.servers", System.getenv().getOrDefault("SAGA_TEST_KAFKA", ""));
    private final String prefix = "java-" + UUID.randomUUID();
    private final String commands = prefix + ".commands";
    private final String replies = prefix + ".replies";
    private final AtomicInteger works = new AtomicInteger();
    private final Deque<Refusal> faults = new ArrayDeque<>();
    private KafkaProducer<byte[], byte[]> orchestrator;
    private KafkaConsumer<byte[], byte[]> heard;
    private World world;

    @TempDir
    private Path folder;

    @BeforeEach
    void prepare() throws Exception {
        try (Admin admin = Admin.create(settings)) {
            admin.createTopics(List.of(
                            new NewTopic(commands, PARTITIONS, (short) 1), new NewTopic(replies, PARTITIONS, (short) 1)))
                    .all()
                    .get();
        }
        orchestrator = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        heard = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<TopicPartition> all = List.of(new TopicPartition(replies, 0), new TopicPartition(replies, 1));
        heard.assign(all);
        heard.seekToBeginning(all);
        world = new World(folder);
    }

    @AfterEach
    void close() {
        orchestrator.close();
        heard.close();
    }

    /** A service in a thread of its own, until it is closed. */
    private record Running(KafkaService service, Thread thread) implements AutoCloseable {
        @Override
        public void close() throws InterruptedException {
            service.close();
            thread.join();
        }
    }

    private Running start() throws Exception {
        return start(new KafkaService(participant(), commands, settings));
    }

    private static Running start(KafkaService service) {
        Thread thread = new Thread(service);
        thread.start();
        return new Running(service, thread);
    }

    private Participant participant() throws SQLException {
        return world.participant(prefix)
                .command("Reserve", Object.class, (tx, request, command) -> works.incrementAndGet())
                .undo("Cancel", Object.class, (tx, done, command) -> works.decrementAndGet())
                .command("Told", Object.class, (tx, request, command) -> {
                    Refusal fault = faults.poll();
                    if (fault != null) {
                        throw fault;
                    }
                    return works.incrementAndGet();
                })
                .outside("Charge", Object.class, (request, command) -> {
                    Refusal fault = faults.poll();
                    if (fault != null) {
                        throw fault;
                    }
                    return "r-1";
                })
                .build();
    }

    private void send(int partition, Message message) throws Exception {
        orchestrator.send(new ProducerRecord<>(commands, partition, bytes(message.key()), bytes(message.write()))).get();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private Message asked(String instance, String kind, String call) {
        return with(with(command(instance, kind, call, "{}"), Attribute.REPLY_TO, replies), Attribute.REPLY_PARTITION, "1");
    }

    /** The next replies: instance, partition, and the reply in short. */
    private List<String> replies(int count) throws UnreadableException {
        List<String> all = new ArrayList<>();
        while (all.size() < count) {
            for (ConsumerRecord<byte[], byte[]> record : heard.poll(Duration.ofSeconds(1))) {
                Header type = record.headers().lastHeader("content-type");
                assertEquals("application/cloudevents+json", new String(type.value(), StandardCharsets.UTF_8));
                String key = new String(record.key(), StandardCharsets.UTF_8);
                all.add(key + " " + record.partition() + " " + shown(Message.read(key, record.value())));
            }
        }
        return all;
    }

    @Test
    void commandsAreAnsweredWhereTheySay() throws Exception {
        try (Running running = start()) {
            send(0, asked("a", "do", "Reserve"));
            send(0, asked("a", "do", "Reserve"));
            send(0, with(asked("b", "undo", "Cancel"), Attribute.REPLY_PARTITION, "0"));
            assertEquals(3, replies(3).size());
            send(0, asked("b", "do", "Reserve"));
            send(0, asked("a", "query", "Reserve"));
            send(0, asked("c", "query", "Reserve"));
            send(0, asked("a", "undo", "Cancel"));
            send(0, asked("a", "do", "Reserve"));
            assertEquals(
                    List.of(
                            "b 1 failed already-undone",
                            "a 1 succeeded 1",
                            "c 1 unknown-command",
                            "a 1 succeeded {}",
                            "a 1 failed already-undone"),
                    replies(5));
        }
        assertEquals(0, works.get());
    }

    @Test
    void whatCannotBeReadOrAnsweredBlocksNothing() throws Exception {
        try (Running running = start()) {
            Message reserve = asked("a", "do", "Reserve");
            orchestrator.send(new ProducerRecord<>(commands, 0, null, (byte[]) null)).get();
            orchestrator.send(new ProducerRecord<>(commands, 0, new byte[] {-1}, new byte[] {-1, -2})).get();
            send(0, new Message("a", reserve.attributes(), "{"));
            send(0, with(reserve, Attribute.REPLY_TO, null));
            send(0, with(reserve, Attribute.REPLY_TO, prefix + ".nowhere"));
            send(0, with(reserve, Attribute.REPLY_TO, "no topic's name / at all"));
            send(0, with(reserve, Attribute.REPLY_PARTITION, "2"));
            send(0, with(reserve, Attribute.REPLY_PARTITION, "first"));
            byte[] unreadable = bytes(with(reserve, Attribute.COMMAND, "a#").write());
            unreadable[new String(unreadable, StandardCharsets.UTF_8).indexOf('#')] = -1;
            orchestrator.send(new ProducerRecord<>(commands, 0, null, unreadable)).get();
            assertEquals(0, works.get(), "nobody would hear of it");
            send(0, with(reserve, Attribute.REPLY_PARTITION, null));
            assertEquals(1, replies(1).stream().filter(reply -> reply.endsWith("succeeded 1")).count());
        }
    }

    /** As an orchestrator writes one: with nobody to answer, and no deadline. */
    private Message told(String instance, String call) {
        Message message = with(with(command(instance, "message", call, "{}"), Attribute.REPLY_TO, null), Attribute.REPLY_PARTITION, null);
        return with(message, Attribute.DEADLINE, null);
    }

    @Test
    void aMessageIsTakenOnceAndAnsweredByNobody() throws Exception {
        faults.add(Refusal.retry("busy"));
        try (Running running = start()) {
            send(0, told("a", "Told"));
            send(0, told("a", "Told"));
            send(0, told("b", "Unheard"));
            send(0, asked("c", "do", "Reserve"));
            assertEquals(List.of("c 1 succeeded 2"), replies(1), "behind one that was taken at the second try");
        }
        assertEquals(2, works.get());
    }

    @Test
    void aServiceThatStartsAgainGoesOnWhereItWas() throws Exception {
        send(1, asked("a", "do", "Reserve"));
        try (Running running = start()) {
            assertEquals(List.of("a 1 succeeded 1"), replies(1));
        }
        send(1, asked("b", "do", "Reserve"));
        try (Running running = start()) {
            assertEquals(List.of("b 1 succeeded 2"), replies(1), "and not the first again");
        }
    }

    @Test
    void workThatWasInterruptedIsAnsweredByTheNextStart() throws Exception {
        faults.add(Refusal.retry("the network is down"));
        send(0, asked("a", "do", "Charge"));
        try (Running running = start()) {
            assertEquals("a 1 pending", replies(1).get(0));
        }
        try (Running running = start()) {
            assertEquals(List.of("a 1 succeeded \"r-1\""), replies(1));
        }
    }

    /** Has work outside interrupted, as one that is to be answered there. */
    private void interrupt(String instance, String topic, String partition) throws Exception {
        faults.add(Refusal.retry("the network is down"));
        Message charge = command(instance, "do", "Charge", "{}");
        participant().handle(with(with(charge, Attribute.REPLY_TO, topic), Attribute.REPLY_PARTITION, partition));
    }

    private String states() throws SQLException {
        return world.text("SELECT group_concat(state) FROM (SELECT state FROM saga_guard ORDER BY command)");
    }

    private void await(String states) throws Exception {
        while (!states().equals(states)) {
            Thread.sleep(50);
        }
    }

    @Test
    void aLateReplyThatIsRefusedForGoodIsGivenUp() throws Exception {
        interrupt("a", prefix + ".nowhere", "1");
        interrupt("b", replies, "7");
        interrupt("c", replies, "first");
        interrupt("d", null, null);
        interrupt("e", "no topic's name / at all", "1");
        interrupt("f", replies, "1");
        try (Running running = start()) {
            assertEquals(List.of("f 1 succeeded \"r-1\""), replies(1));
            await("done,done,done,done,done,done");
        }
    }

    @Test
    void aLateReplyThatIsNotAcknowledgedIsToldAgain() throws Exception {
        interrupt("a", replies, "1");
        interrupt("b", replies, "0");
        AtomicBoolean isAway = new AtomicBoolean(true);
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()) {
            @Override
            public Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> reply) {
                boolean isLost = reply.partition() == 1 && isAway.getAndSet(false);
                return isLost ? CompletableFuture.failedFuture(new TimeoutException("the leader is away")) : super.send(reply);
            }
        };
        try (Running running = start(new KafkaService(participant(), commands, settings, producer))) {
            assertEquals(List.of("b 0 succeeded \"r-1\""), replies(1));
            await("doing,done");
            assertEquals(List.of("a 1 succeeded \"r-1\""), replies(1));
            await("done,done");
        }
    }

    @Test
    void aReplyThatIsNotAllowedBlocksNothing() throws Exception {
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()) {
            @Override
            public Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> reply) {
                boolean isAllowed = reply.partition() == 1;
                return isAllowed ? super.send(reply) : CompletableFuture.failedFuture(new TopicAuthorizationException(replies));
            }
        };
        try (Running running = start(new KafkaService(participant(), commands, settings, producer))) {
            send(0, with(asked("a", "do", "Reserve"), Attribute.REPLY_PARTITION, "0"));
            send(0, asked("b", "do", "Reserve"));
            assertEquals(List.of("b 1 succeeded 2"), replies(1));
            send(0, asked("c", "do", "Reserve"));
            assertEquals(List.of("c 1 succeeded 3"), replies(1), "and not the second again");
        }
    }

    @Test
    void theEndWaitsForTheRecordUnderWayAndLeavesTheRest() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Participant slow = world.participant(prefix)
                .command("Reserve", Object.class, (tx, request, command) -> {
                    begun.countDown();
                    goOn.await();
                    return works.incrementAndGet();
                })
                .build();
        for (String instance : List.of("a", "b", "c")) {
            send(0, asked(instance, "do", "Reserve"));
        }
        Running running = start(new KafkaService(slow, commands, settings));
        begun.await();
        Thread closing = new Thread(running.service::close);
        closing.start();
        closing.join(500);
        goOn.countDown();
        closing.join();
        assertEquals(1, works.get());
        try (Running next = start()) {
            assertEquals(List.of("a 1 succeeded 1", "b 1 succeeded 2", "c 1 succeeded 3"), replies(3));
        }
    }

    @Test
    void aCommandWhoseTransactionWasAbortedIsNotDone() throws Exception {
        Map<String, Object> transactional = new HashMap<>(settings);
        transactional.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, prefix);
        try (var aborting = new KafkaProducer<>(transactional, new ByteArraySerializer(), new ByteArraySerializer())) {
            aborting.initTransactions();
            aborting.beginTransaction();
            aborting.send(new ProducerRecord<>(commands, 0, bytes("a"), bytes(asked("a", "do", "Reserve").write()))).get();
            aborting.abortTransaction();
        }
        send(0, asked("b", "do", "Reserve"));
        try (Running running = start()) {
            assertEquals(List.of("b 1 succeeded 1"), replies(1));
        }
    }
}
