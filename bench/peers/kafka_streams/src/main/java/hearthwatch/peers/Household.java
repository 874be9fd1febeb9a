package hearthwatch.peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The same as Home in bench/peers/toy.py, as Jackson reads and writes it. */
public final class Household {
    /** One bill. */
    public static final class Bill {
        public long time;
        public String source;
        public String id;
        public int day;
        public BillData data;
    }

    /** Who lives there, with the bills about them by the type of their events. */
    public static final class Person {
        public String id;
        public long n;
        public String role;
        public String birth;
        public String sex;
        public Map<String, List<Bill>> facts = new HashMap<>();

        List<Bill> of(String type) {
            return facts.computeIfAbsent(type, missing -> new ArrayList<>());
        }
    }

    public String id;
    public Map<String, Person> persons = new HashMap<>();
    public long total;
    public int level;
    public int warned;
}
