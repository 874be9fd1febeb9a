package hearthwatch.peers;

import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * One hop as a reader of Kafka Streams' documentation and examples would write it: the DSL with a processor and
 * a persistent store attached (developer guide, "Applying processors"), state and warnings as JSON by Jackson (as
 * in the example PageViewTypedDemo), exactly_once_v2, and every other setting as it comes: commits each 100 ms,
 * consumer, producer, RocksDB.
 *
 * <p>Not {@code aggregate}: its cache passes on only the last update between two commits, and a household that
 * crosses two lines there would warn once. A store for a processor has no cache unless one asks for it; with the
 * 10 MB that an aggregation has, this program took a little longer.
 *
 * <p>Arguments: as {@link Peer}; the store and the commit interval are passed over.
 */
public final class Documented {
    private Documented() {}

    public static void main(String[] args) throws InterruptedException {
        long[] at = Arrays.stream(args[8].split(",")).mapToLong(Long::parseLong).toArray();
        Marks marks = new Marks(at, Long.parseLong(args[7]));

        Serializer<Message> unused = (topic, message) -> {
            throw new UnsupportedOperationException();
        };
        Deserializer<Message> reads = (topic, value) -> Message.of(value);
        Serde<Message> messages = Serdes.serdeFrom(unused, reads);

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(
                Stores.keyValueStoreBuilder(
                                Stores.persistentKeyValueStore(DocumentedSteps.STORE),
                                Serdes.String(),
                                new JsonSerde<>(Household.class)));
        builder.stream(args[1], Consumed.with(Serdes.String(), messages))
                .process(() -> new DocumentedSteps(marks), DocumentedSteps.STORE)
                .to(args[2], Produced.with(Serdes.String(), new JsonSerde<>(Warning.class)));

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);

        Peer.run(new KafkaStreams(builder.build(), settings), marks);
    }
}
