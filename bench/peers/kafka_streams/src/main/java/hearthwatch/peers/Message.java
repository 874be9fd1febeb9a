package hearthwatch.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** A record of household.facts, as streams/records.py writes it: a msgpack array. */
sealed interface Message {
    String household();

    /** Who moves in. Strings stay UTF-8 bytes, because nothing but equality is asked of them. */
    record Arrival(String household, byte[] person, long n, byte[] role, byte[] birth, byte[] sex)
            implements Message {}

    /** A bill; {@code data} is a msgpack map. */
    record Fact(String household, byte[] type, byte[] source, byte[] id, byte[] subject, long time, long received,
                byte[] data, long paidFen) implements Message {}

    int FACT = 1;
    int TRANSFER = 4;
    byte[] PAID = "self_paid_yuan".getBytes(StandardCharsets.UTF_8);

    static Message of(byte[] value) {
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(value)) {
            in.unpackArrayHeader();
            int tag = in.unpackInt();
            String household = in.unpackString();
            in.skipValue(3); // channel, number, origin
            if (tag == FACT) {
                return fact(in, household, value);
            }
            if (tag == TRANSFER) {
                return arrival(in, household);
            }
            throw new IllegalArgumentException("a record of the kind " + tag + ": the load has none");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Arrival arrival(MessageUnpacker in, String household) throws IOException {
        byte[] person = text(in);
        long n = in.unpackLong();
        in.skipValue(); // the cause
        in.unpackArrayHeader();
        return new Arrival(household, person, n, text(in), text(in), text(in));
    }

    private static Fact fact(MessageUnpacker in, String household, byte[] value) throws IOException {
        in.skipValue(); // the move
        in.unpackArrayHeader();
        byte[] type = text(in);
        byte[] source = text(in);
        byte[] id = text(in);
        byte[] subject = text(in);
        long time = in.unpackLong();
        long received = in.unpackLong();
        int begin = (int) in.getTotalReadBytes();
        long paid = 0;
        for (int left = in.unpackMapHeader(); left > 0; left--) {
            if (Arrays.equals(text(in), PAID)) {
                paid = in.unpackLong();
            } else {
                in.skipValue();
            }
        }
        byte[] data = Arrays.copyOfRange(value, begin, (int) in.getTotalReadBytes());
        return new Fact(household, type, source, id, subject, time, received, data, paid);
    }

    private static byte[] text(MessageUnpacker in) throws IOException {
        return in.readPayload(in.unpackRawStringHeader());
    }
}
