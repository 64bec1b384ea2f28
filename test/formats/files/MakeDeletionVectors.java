package org.apache.iceberg.deletes;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes the blobs `java-*.dv` with Apache Iceberg's own writer, and beside each the ranges that it holds. */
public class MakeDeletionVectors {
  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[0]);
    long high = 1L << 32;
    write(folder, "java-empty");
    write(folder, "java-array", new long[] {1, 1, 1}, new long[] {5, 65_535, 7}, new long[] {70_000, 70_000, 1});
    write(folder, "java-bitset", new long[] {3, 60_000, 3});
    write(folder, "java-runs", new long[] {0, 199_999, 1}, new long[] {300_000, 300_010, 1});
    write(folder, "java-all-kinds", new long[] {10, 1_000, 10}, new long[] {65_536, 131_071, 2}, new long[] {131_072, 190_000, 1});
    write(folder, "java-many-runs", new long[] {0, 9, 1}, new long[] {65_536, 65_545, 1}, new long[] {131_072, 131_081, 1},
        new long[] {196_608, 196_617, 1}, new long[] {262_144, 262_153, 1});
    // The keys between are empty bitmaps.
    write(folder, "java-keys", new long[] {7, 7, 1}, new long[] {3 * high + 1, 3 * high + 9, 2}, new long[] {5 * high + 4_000_000_000L, 5 * high + 4_000_000_100L, 1});
  }

  private static void write(Path folder, String name, long[]... ranges) throws Exception {
    PositionDeleteIndex index = new BitmapPositionDeleteIndex();
    List<String> json = new ArrayList<>();
    for (long[] range : ranges) {
      for (long position = range[0]; position <= range[1]; position += range[2]) index.delete(position);
      json.add("[\"" + range[0] + "\", \"" + range[1] + "\", \"" + range[2] + "\"]");
    }
    // Serializing takes the cardinality of a delete file that it stands for: none here.
    ByteBuffer blob = index.serialize();
    byte[] bytes = new byte[blob.remaining()];
    blob.get(bytes);
    Files.write(folder.resolve(name + ".dv"), bytes);
    Files.writeString(folder.resolve(name + ".dv.json"), "[" + String.join(", ", json) + "]\n");
  }
}
