package hearthwatch.peers;

import com.fasterxml.jackson.annotation.JsonProperty;

/** A warning, as bench/peers/toy.py writes it. */
public record Warning(
        String specversion, String type, String source, String subject, String id, long time,
        String datacontenttype, Data data) {
    /** What it says. */
    public record Data(
            String household, String level, @JsonProperty("previous_level") String previousLevel,
            @JsonProperty("paid_fen") long paidFen, Cause cause) {}

    /** The bill that it comes from. */
    public record Cause(String source, String id, String subject) {}
}
