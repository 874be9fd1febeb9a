package hearthwatch.peers;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The step of bench/peers/toy.py, with the household in a state store. */
final class Steps implements Processor<byte[], byte[], byte[], byte[]> {
    static final String STORE = "homes";
    private static final long DAY_US = 86_400_000_000L;
    private static final long[] LINES_FEN = {7_000_000, 9_000_000};
    private static final String[] LEVELS = {"none", "yellow", "red"};

    private final Marks marks;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], Home> homes;

    Steps(Marks marks) {
        this.marks = marks;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        homes = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        byte[] warning = step(record.key(), Message.of(record.value()));
        if (warning != null) {
            context.forward(record.withValue(warning));
        }
        marks.count();
    }

    private byte[] step(byte[] key, Message message) {
        Home home = homes.get(key);
        if (home == null) {
            home = new Home(message.household());
        }
        if (message instanceof Message.Arrival arrival) {
            if (home.person(arrival.person()) == null) {
                home.persons.add(new Home.Person(
                        arrival.person(), arrival.n(), arrival.role(), arrival.birth(), arrival.sex(),
                        new ArrayList<>()));
            }
            homes.put(key, home);
            return null;
        }
        Message.Fact fact = (Message.Fact) message;
        List<Home.Bill> bills = home.person(fact.subject()).of(fact.type());
        for (Home.Bill bill : bills) {
            if (Arrays.equals(bill.id(), fact.id()) && Arrays.equals(bill.source(), fact.source())) {
                return null;
            }
        }
        int day = (int) (fact.time() / DAY_US);
        bills.add(new Home.Bill(fact.time(), fact.source(), fact.id(), day, fact.data()));
        home.totalFen += fact.paidFen();
        int level = 0;
        while (level < LINES_FEN.length && home.totalFen >= LINES_FEN[level]) {
            level++;
        }
        byte[] warning = null;
        if (level > home.level) {
            int before = home.level;
            home.level = level;
            home.warned++;
            warning = warning(home, before, fact);
        }
        homes.put(key, home);
        return warning;
    }

    private static byte[] warning(Home home, int before, Message.Fact fact) {
        // No text here needs an escape: ids of the load are letters, digits and hyphens.
        return ("{\"specversion\":\"1.0\",\"type\":\"" + (before > 0 ? "warning.upgraded" : "warning.raised")
                + "\",\"source\":\"hearthwatch/toy\",\"subject\":\"household/" + home.id
                + "\",\"id\":\"" + home.id + "-" + home.warned + "\",\"time\":" + fact.received()
                + ",\"datacontenttype\":\"application/json\",\"data\":{\"household\":\"" + home.id
                + "\",\"level\":\"" + LEVELS[home.level] + "\",\"previous_level\":\"" + LEVELS[before]
                + "\",\"paid_fen\":" + home.totalFen + ",\"cause\":{\"source\":\"" + text(fact.source())
                + "\",\"id\":\"" + text(fact.id()) + "\",\"subject\":\"" + text(fact.subject()) + "\"}}}")
                .getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}
