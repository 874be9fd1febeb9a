package hearthwatch.peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
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

    /** The bills of one type about a person. */
    record Bills(byte[] type, List<Bill> all) {}

    /** Who lives there, with the bills about them. */
    record Person(byte[] id, long n, byte[] role, byte[] birth, byte[] sex, List<Bills> facts) {
        List<Bill> of(byte[] type) {
            for (Bills bills : facts) {
                if (Arrays.equals(bills.type, type)) {
                    return bills.all;
                }
            }
            Bills bills = new Bills(type, new ArrayList<>());
            facts.add(bills);
            return bills.all;
        }

        int size() {
            int size = 4 * 2 + 8 + 2 + id.length + role.length + birth.length + sex.length;
            for (Bills bills : facts) {
                size += 2 + bills.type.length + 4;
                for (Bill bill : bills.all) {
                    size += bill.size();
                }
            }
            return size;
        }
    }

    final String id;
    final List<Person> persons;
    long totalFen;
    int level;
    int warned;

    Home(String id) {
        this(id, new ArrayList<>());
    }

    private Home(String id, List<Person> persons) {
        this.id = id;
        this.persons = persons;
    }

    /** Null where nobody of that name lives here. */
    Person person(byte[] id) {
        for (Person person : persons) {
            if (Arrays.equals(person.id, id)) {
                return person;
            }
        }
        return null;
    }

    private static byte[] encode(Home home) {
        byte[] id = home.id.getBytes(StandardCharsets.UTF_8);
        int size = 2 + id.length + 8 + 4 + 4 + 4;
        for (Person person : home.persons) {
            size += person.size();
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        put(out, id);
        out.putLong(home.totalFen).putInt(home.level).putInt(home.warned).putInt(home.persons.size());
        for (Person person : home.persons) {
            put(out, person.id);
            out.putLong(person.n);
            put(out, person.role);
            put(out, person.birth);
            put(out, person.sex);
            out.putShort((short) person.facts.size());
            for (Bills bills : person.facts) {
                put(out, bills.type);
                out.putInt(bills.all.size());
                for (Bill bill : bills.all) {
                    out.putLong(bill.time).putInt(bill.day);
                    put(out, bill.source);
                    put(out, bill.id);
                    put(out, bill.data);
                }
            }
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
            Person person = new Person(take(in), in.getLong(), take(in), take(in), take(in), new ArrayList<>(2));
            for (int kinds = in.getShort(); kinds > 0; kinds--) {
                byte[] type = take(in);
                int bills = in.getInt();
                Bills some = new Bills(type, new ArrayList<>(bills + 1));
                for (; bills > 0; bills--) {
                    long time = in.getLong();
                    int day = in.getInt();
                    some.all.add(new Bill(time, take(in), take(in), day, take(in)));
                }
                person.facts.add(some);
            }
            home.persons.add(person);
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
