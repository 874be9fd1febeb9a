package hearthwatch.peers;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** What a bill says. */
public final class BillData {
    @JsonProperty("self_paid_yuan")
    public long selfPaidFen;

    public boolean inpatient;

    /** Out of the msgpack map of an event. */
    static BillData of(byte[] raw) {
        BillData data = new BillData();
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(raw)) {
            for (int left = in.unpackMapHeader(); left > 0; left--) {
                switch (in.unpackString()) {
                    case "self_paid_yuan" -> data.selfPaidFen = in.unpackLong();
                    case "inpatient" -> data.inpatient = in.unpackBoolean();
                    default -> in.skipValue();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return data;
    }
}
