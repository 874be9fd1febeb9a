package hearthwatch.peers;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The step of bench/peers/toy.py, for {@link Documented}. */
final class DocumentedSteps implements Processor<String, Message, String, Warning> {
    static final String STORE = "households";
    private static final long DAY_US = 86_400_000_000L;
    private static final long[] LINES_FEN = {7_000_000, 9_000_000};
    private static final String[] LEVELS = {"none", "yellow", "red"};

    private final Marks marks;
    private ProcessorContext<String, Warning> context;
    private KeyValueStore<String, Household> households;

    DocumentedSteps(Marks marks) {
        this.marks = marks;
    }

    @Override
    public void init(ProcessorContext<String, Warning> context) {
        this.context = context;
        households = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, Message> record) {
        Household home = households.get(record.key());
        if (home == null) {
            home = new Household();
            home.id = record.value().household();
        }
        Warning warning = null;
        if (record.value() instanceof Message.Arrival arrival) {
            String id = text(arrival.person());
            if (!home.persons.containsKey(id)) {
                Household.Person person = new Household.Person();
                person.id = id;
                person.n = arrival.n();
                person.role = text(arrival.role());
                person.birth = text(arrival.birth());
                person.sex = text(arrival.sex());
                home.persons.put(id, person);
            }
            households.put(record.key(), home);
        } else if (record.value() instanceof Message.Fact fact && add(home, fact)) {
            warning = warning(home, fact);
            households.put(record.key(), home);
        }
        if (warning != null) {
            context.forward(record.withValue(warning));
        }
        marks.count();
    }

    /** False for a bill that is known. */
    private static boolean add(Household home, Message.Fact fact) {
        List<Household.Bill> bills = home.persons.get(text(fact.subject())).of(text(fact.type()));
        String id = text(fact.id());
        String source = text(fact.source());
        for (Household.Bill bill : bills) {
            if (bill.id.equals(id) && bill.source.equals(source)) {
                return false;
            }
        }
        Household.Bill bill = new Household.Bill();
        bill.time = fact.time();
        bill.source = source;
        bill.id = id;
        bill.day = (int) (fact.time() / DAY_US);
        bill.data = BillData.of(fact.data());
        bills.add(bill);
        home.total += bill.data.selfPaidFen;
        return true;
    }

    /** Null where no line was crossed. */
    private static Warning warning(Household home, Message.Fact fact) {
        int level = 0;
        while (level < LINES_FEN.length && home.total >= LINES_FEN[level]) {
            level++;
        }
        if (level <= home.level) {
            return null;
        }
        int before = home.level;
        home.level = level;
        home.warned++;
        return new Warning(
                "1.0", before > 0 ? "warning.upgraded" : "warning.raised", "hearthwatch/toy",
                "household/" + home.id, home.id + "-" + home.warned, fact.received(), "application/json",
                new Warning.Data(
                        home.id, LEVELS[level], LEVELS[before], home.total,
                        new Warning.Cause(text(fact.source()), text(fact.id()), text(fact.subject()))));
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}
