package hearthwatch.peers;

import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.Stores;

/**
 * One hop in Kafka Streams: exactly_once_v2, a store with a changelog, a cache that holds every household, so
 * that a household that changed often between two commits is written once.
 *
 * <p>Arguments: bootstrap, facts topic, warnings topic, application id, state folder, store (memory or rocksdb),
 * commit interval in ms, records, marks (with commas).
 */
public final class Peer {
    private Peer() {}

    public static void main(String[] args) throws InterruptedException {
        String store = args[5];
        long[] at = Arrays.stream(args[8].split(",")).mapToLong(Long::parseLong).toArray();
        Marks marks = new Marks(at, Long.parseLong(args[7]));
        KeyValueBytesStoreSupplier supplier = store.equals("rocksdb")
                ? Stores.persistentKeyValueStore(Steps.STORE)
                : Stores.inMemoryKeyValueStore(Steps.STORE);

        Topology topology = new Topology();
        topology.addSource("facts", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), args[1]);
        topology.addProcessor("steps", () -> new Steps(marks), "facts");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(supplier, Serdes.ByteArray(), Home.serde())
                        .withCachingEnabled()
                        .withLoggingEnabled(Map.of()),
                "steps");
        topology.addSink("warnings", args[2], Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "steps");

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[6]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        settings.put(StreamsConfig.METRICS_RECORDING_LEVEL_CONFIG, "INFO");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.CHECK_CRCS_CONFIG), false);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);

        run(new KafkaStreams(topology, settings), marks);
    }

    /** Run until all records are through and committed; tell the versions. */
    static void run(KafkaStreams streams, Marks marks) throws InterruptedException {
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        marks.await();
        streams.close(Duration.ofSeconds(60)); // commits what is open
        System.out.println("{\"done\": true, \"state_bytes\": 0, \"states\": 0, \"versions\": {\"kafka-streams\": \""
                + org.apache.kafka.common.utils.AppInfoParser.getVersion() + "\", \"java\": \""
                + System.getProperty("java.version") + "\"}}");
    }
}
