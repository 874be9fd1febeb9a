package hearthwatch.peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** What is kept of one household: the same as Home in bench/peers/toy.py. Written by hand, as the quickest. */
final class Home {
    /** One bill; strings stay UTF-8 bytes, because nothing but equality is asked of them. */
    record Bill(long time, byte[] source, byte[] id, int day, byte[] data) {
        int size() {
            return 8 + 4 + 3 * 2 + source.length + id.length + data.length;
        }
    }

    final String id;
    final List<Bill> bills;
    long totalFen;
    int level;
    int warned;

    Home(String id) {
        this(id, new ArrayList<>());
    }

    private Home(String id, List<Bill> bills) {
        this.id = id;
        this.bills = bills;
    }

    private static byte[] encode(Home home) {
        byte[] id = home.id.getBytes(StandardCharsets.UTF_8);
        int size = 2 + id.length + 8 + 4 + 4 + 4;
        for (Bill bill : home.bills) {
            size += bill.size();
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        put(out, id);
        out.putLong(home.totalFen).putInt(home.level).putInt(home.warned).putInt(home.bills.size());
        for (Bill bill : home.bills) {
            out.putLong(bill.time).putInt(bill.day);
            put(out, bill.source);
            put(out, bill.id);
            put(out, bill.data);
        }
        return out.array();
    }

    private static Home decode(byte[] raw) {
        ByteBuffer in = ByteBuffer.wrap(raw);
        String id = new String(take(in), StandardCharsets.UTF_8);
        long total = in.getLong();
        int level = in.getInt();
        int warned = in.getInt();
        int count = in.getInt();
        Home home = new Home(id, new ArrayList<>(count + 1));
        home.totalFen = total;
        home.level = level;
        home.warned = warned;
        for (int at = 0; at < count; at++) {
            long time = in.getLong();
            int day = in.getInt();
            home.bills.add(new Bill(time, take(in), take(in), day, take(in)));
        }
        return home;
    }

    private static void put(ByteBuffer out, byte[] bytes) {
        out.putShort((short) bytes.length).put(bytes);
    }

    private static byte[] take(ByteBuffer in) {
        byte[] bytes = new byte[in.getShort()];
        in.get(bytes);
        return bytes;
    }

    static Serde<Home> serde() {
        Serializer<Home> serializer = (topic, home) -> home == null ? null : encode(home);
        Deserializer<Home> deserializer = (topic, raw) -> raw == null ? null : decode(raw);
        return Serdes.serdeFrom(serializer, deserializer);
    }
}
