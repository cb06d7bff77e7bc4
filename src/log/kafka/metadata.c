/*
 * A guard in front of librdkafka's rd_kafka_metadata_update_op, which the linker puts there (build.rs, --wrap).
 *
 * A broker that has just started answers a fetch with the leaders that it knows (KIP-951), and with the leader -1 where it
 * knows none. librdkafka up to 2.14 makes room for both and fills in the first kind alone: behind it stands what was in
 * that memory before. A partition number below 0 among it is an index, and the process ends by SIGSEGV:
 * https://github.com/confluentinc/librdkafka/issues/5280. What is too large is looked at there and passed over.
 *
 * The structures are those of rdkafka.h, which are public and do not change; that one stands at the beginning of the
 * internal one is what rdkafka_metadata.h promises. To be taken out with a librdkafka that has this mended.
 */
#include <stdint.h>

struct partition {
        int32_t id;
        int err;
        int32_t leader;
        int replica_cnt;
        int32_t *replicas;
        int isr_cnt;
        int32_t *isrs;
};

struct topic {
        char *name;
        int partition_cnt;
        struct partition *partitions;
        int err;
};

struct metadata {
        int broker_cnt;
        void *brokers;
        int topic_cnt;
        struct topic *topics;
};

/* Weak, since a program may not need librdkafka at all. */
extern int __real_rd_kafka_metadata_update_op(void *client, struct metadata *found) __attribute__((weak));

int __wrap_rd_kafka_metadata_update_op(void *client, struct metadata *found) {
        for (int i = 0; i < found->topic_cnt; i++) {
                struct topic *topic = &found->topics[i];
                for (int j = 0; j < topic->partition_cnt; j++) {
                        if (topic->partitions[j].id < 0) {
                                topic->partition_cnt = j;
                        }
                }
        }
        return __real_rd_kafka_metadata_update_op(client, found);
}
