package org.apache.iceberg.rest;

import org.apache.iceberg.catalog.Namespace;
import org.junit.jupiter.api.BeforeEach;

/** Tests of the kit that it leaves out unless a class says that the server can do it. */
public class NestedAndSlashedNamesTests extends RESTCompatibilityKitCatalogTests {
  @Override
  protected boolean supportsNestedNamespaces() {
    return true;
  }

  @Override
  protected boolean supportsNamesWithSlashes() {
    return true;
  }

  /** The kit itself drops the namespaces of its other tests only. */
  @BeforeEach
  void dropAll() {
    catalog().listNamespaces().forEach(this::dropNamespace);
  }

  private void dropNamespace(Namespace namespace) {
    catalog().listNamespaces(namespace).forEach(this::dropNamespace);
    catalog().listTables(namespace).forEach(table -> catalog().dropTable(table, true));
    catalog().dropNamespace(namespace);
  }
}
