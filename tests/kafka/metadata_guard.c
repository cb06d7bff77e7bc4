/* What the guard hands on to librdkafka, which this file stands in for. */
#include <stdio.h>

#include "../../src/log/kafka/metadata.c"

int __real_rd_kafka_metadata_update_op(void *client, struct metadata *found) {
        for (int i = 0; i < found->topic_cnt; i++) {
                printf("%s:", found->topics[i].name);
                for (int j = 0; j < found->topics[i].partition_cnt; j++) {
                        printf(" %d", found->topics[i].partitions[j].id);
                }
                printf("\n");
        }
        return client == found ? 7 : 0;
}

int main(void) {
        struct partition all[] = {{.id = 2, .leader = 1}, {.id = 0, .leader = 1}, {.id = 5, .leader = 1}};
        struct partition some[] = {{.id = 2, .leader = 1}, {.id = 0, .leader = 1}, {.id = -1811302272, .leader = 1}, {.id = 1, .leader = 1}};
        struct partition none[] = {{.id = -1, .leader = 1}};
        struct topic topics[] = {{.name = "all", .partition_cnt = 3, .partitions = all},
                                 {.name = "some", .partition_cnt = 4, .partitions = some},
                                 {.name = "none", .partition_cnt = 1, .partitions = none},
                                 {.name = "empty"}};
        struct metadata found = {.topic_cnt = 4, .topics = topics};
        return __wrap_rd_kafka_metadata_update_op(&found, &found) == 7 ? 0 : 1;
}
