package hearthwatch.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** A bill, as streams/records.py writes a Fact: a msgpack array. */
record Fact(String household, byte[] source, byte[] id, byte[] subject, long time, long received, byte[] data,
            long paidFen) {
    private static final int TAG = 1;
    private static final byte[] PAID = "self_paid_yuan".getBytes(StandardCharsets.UTF_8);

    /** Null for a record of another kind. */
    static Fact of(byte[] value) {
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(value)) {
            in.unpackArrayHeader();
            if (in.unpackInt() != TAG) {
                return null;
            }
            String household = in.unpackString();
            in.skipValue(3); // channel, number, origin
            in.skipValue(); // the move
            in.unpackArrayHeader();
            in.skipValue(); // the type: the topic holds bills only
            byte[] source = text(in);
            byte[] id = text(in);
            byte[] subject = text(in);
            long time = in.unpackLong();
            long received = in.unpackLong();
            int begin = (int) in.getTotalReadBytes();
            long paid = 0;
            for (int left = in.unpackMapHeader(); left > 0; left--) {
                if (java.util.Arrays.equals(text(in), PAID)) {
                    paid = in.unpackLong();
                } else {
                    in.skipValue();
                }
            }
            byte[] data = java.util.Arrays.copyOfRange(value, begin, (int) in.getTotalReadBytes());
            return new Fact(household, source, id, subject, time, received, data, paid);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static byte[] text(MessageUnpacker in) throws IOException {
        return in.readPayload(in.unpackRawStringHeader());
    }
}
