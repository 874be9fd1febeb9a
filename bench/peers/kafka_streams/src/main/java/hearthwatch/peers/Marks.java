package hearthwatch.peers;

import java.lang.management.ManagementFactory;
import java.util.concurrent.CountDownLatch;

/** What bench/peers/marks.py is to the Python programs. */
final class Marks {
    private final long[] marks;
    private final long all;
    private final CountDownLatch through = new CountDownLatch(1);
    private long records;
    private int at;

    Marks(long[] marks, long all) {
        this.marks = marks;
        this.all = all;
    }

    /** One record is through. Called by the one stream thread. */
    void count() {
        records++;
        if (at < marks.length && records >= marks[at]) {
            at++;
            var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            System.out.printf(
                    java.util.Locale.ROOT, "{\"records\": %d, \"cpu\": %.6f, \"wall\": %.6f}%n",
                    records, system.getProcessCpuTime() / 1e9, System.nanoTime() / 1e9);
            System.out.flush();
        }
        if (records == all) {
            through.countDown();
        }
    }

    void await() throws InterruptedException {
        through.await();
    }
}
