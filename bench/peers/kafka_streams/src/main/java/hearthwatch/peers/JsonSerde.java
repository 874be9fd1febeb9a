package hearthwatch.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** JSON by Jackson, as the examples of Kafka Streams have it: one mapper, public fields. */
final class JsonSerde<T> implements Serde<T> {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Class<T> type;

    JsonSerde(Class<T> type) {
        this.type = type;
    }

    @Override
    public Serializer<T> serializer() {
        return (topic, value) -> {
            try {
                return value == null ? null : MAPPER.writeValueAsBytes(value);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        };
    }

    @Override
    public Deserializer<T> deserializer() {
        return (topic, raw) -> {
            try {
                return raw == null ? null : MAPPER.readValue(raw, type);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        };
    }
}
