package org.apache.iceberg.rest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.BeforeTestExecutionCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Removes the files of the tables that the kit dropped before a test, as an operator may: its tests
 * take the same locations one after the other, and a dropped table keeps its own while files are
 * there.
 */
public class FolderRemoval implements BeforeTestExecutionCallback {
  @Override
  public void beforeTestExecution(ExtensionContext context) {
    for (String folder : System.getProperty("moraine.folders", "").split(",")) {
      if (!folder.isEmpty()) remove(Path.of(folder));
    }
  }

  private static void remove(Path folder) {
    if (!Files.exists(folder)) return;
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
