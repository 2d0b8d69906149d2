import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.datasketches.frequencies.ErrorType;
import org.apache.datasketches.frequencies.ItemsSketch;
import org.apache.datasketches.frequencies.LongsSketch;

/**
 * Apache DataSketches (Maven datasketches-java) over a file of ids, one a line.
 *
 *     java -cp 'JARS/*' FrequentItems.java strings|longs IDS LOG2_MAP
 *
 * Longs: each id's number among the different ones, so no text is hashed or kept. Prints
 * {"us": …, "memoryBytes": …, "outside": …} and then a line for each item: estimate, lower and
 * upper bound and id, by tabs. Updated twice, the second time is timed: the first warms up.
 */
public class FrequentItems {
  /** Key, count, state of a slot; a String of 12 bytes takes 56. */
  static final int SLOT_BYTES = 18;
  static final int STRING_BYTES = 56;

  public static void main(String[] args) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(args[1]));
    String[] ids = lines.toArray(new String[0]);
    int log2 = Integer.parseInt(args[2]);
    StringBuilder out = new StringBuilder();
    if (args[0].equals("strings")) strings(ids, log2, out);
    else longs(ids, log2, out);
    System.out.print(out);
  }

  static void head(StringBuilder out, long nanos, int n, long bytes, long outside) {
    // The jar is named datasketches-java-VERSION.jar.
    String jar = ItemsSketch.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    String version = jar.replaceAll(".*-|\\.jar$", "");
    out.append("{\"us\": ").append(nanos / 1e3 / n).append(", \"memoryBytes\": ").append(bytes)
        .append(", \"outside\": ").append(outside).append(", \"version\": \"")
        .append(version).append("\"}\n");
  }

  static void strings(String[] ids, int log2, StringBuilder out) {
    ItemsSketch<String> sketch = null;
    long nanos = 0;
    for (int round = 0; round < 2; round++) {
      sketch = new ItemsSketch<>(1 << log2);
      long started = System.nanoTime();
      for (String id : ids) sketch.update(id);
      nanos = System.nanoTime() - started;
    }
    long bytes = ((long) SLOT_BYTES << log2) + (long) STRING_BYTES * sketch.getNumActiveItems();
    head(out, nanos, ids.length, bytes, sketch.getMaximumError());
    for (var row : sketch.getFrequentItems(0, ErrorType.NO_FALSE_NEGATIVES)) {
      out.append(row.getEstimate()).append('\t').append(row.getLowerBound()).append('\t')
          .append(row.getUpperBound()).append('\t').append(row.getItem()).append('\n');
    }
  }

  static void longs(String[] ids, int log2, StringBuilder out) {
    var numbers = new java.util.HashMap<String, Long>();
    var names = new java.util.ArrayList<String>();
    long[] items = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      Long known = numbers.get(ids[i]);
      if (known == null) {
        known = (long) names.size();
        numbers.put(ids[i], known);
        names.add(ids[i]);
      }
      items[i] = known;
    }
    LongsSketch sketch = null;
    long nanos = 0;
    for (int round = 0; round < 2; round++) {
      sketch = new LongsSketch(1 << log2);
      long started = System.nanoTime();
      for (long item : items) sketch.update(item);
      nanos = System.nanoTime() - started;
    }
    head(out, nanos, ids.length, (long) SLOT_BYTES << log2, sketch.getMaximumError());
    for (var row : sketch.getFrequentItems(0, ErrorType.NO_FALSE_NEGATIVES)) {
      out.append(row.getEstimate()).append('\t').append(row.getLowerBound()).append('\t')
          .append(row.getUpperBound()).append('\t').append(names.get((int) row.getItem()))
          .append('\n');
    }
  }
}
