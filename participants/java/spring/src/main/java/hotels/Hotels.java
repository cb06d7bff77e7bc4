package hotels;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import javax.sql.DataSource;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.CommandLineRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.SingleConnectionDataSource;
import saga.participant.KafkaService;
import saga.participant.Participant;
import saga.participant.Refusal;

/**
 * Rooms. Spring gives the data source, the settings and the life cycle; the guard begins and commits the transactions, so
 * handlers use a template on the connection that they are given, and no {@code @Transactional}.
 */
@SpringBootApplication
public class Hotels {
    private static final int ROOMS = 10;

    record Stay(String hotel, int nights) {}

    record Held(String hold) {}

    public static void main(String[] arguments) {
        SpringApplication.run(Hotels.class, arguments);
    }

    private static JdbcTemplate jdbc(Connection transaction) {
        return new JdbcTemplate(new SingleConnectionDataSource(transaction, true));
    }

    @Bean
    Participant participant(DataSource database) throws SQLException {
        return Participant.builder("hotels", database)
                .command("ReserveRoom", Stay.class, (transaction, stay, command) -> {
                    Integer taken = jdbc(transaction)
                            .queryForObject("SELECT count(*) FROM rooms WHERE hotel = ?", Integer.class, stay.hotel());
                    if (taken == null || taken >= ROOMS) {
                        throw Refusal.failed("sold_out");
                    }
                    jdbc(transaction).update("INSERT INTO rooms VALUES (?, ?, 'held')", command.id(), stay.hotel());
                    return new Held(command.id());
                })
                .command("ConfirmRoom", Held.class, (transaction, held, command) -> {
                    jdbc(transaction).update("UPDATE rooms SET state = 'sold' WHERE hold = ?", held.hold());
                    return Map.of();
                })
                .undo("CancelRoom", Held.class, (transaction, held, command) ->
                        jdbc(transaction).update("DELETE FROM rooms WHERE hold = ?", held.hold()))
                .build();
    }

    @Bean
    KafkaService service(
            Participant participant, @Value("${saga.kafka}") String kafka, @Value("${saga.commands}") String topic) {
        return new KafkaService(participant, topic, Map.of("bootstrap.servers", kafka));
    }

    /** Answers until the context closes, which closes the service. */
    @Bean
    CommandLineRunner answering(KafkaService service) {
        return arguments -> service.run();
    }
}
