/** Packages whose code the build puts into what browsers load. */
export declare const bundledPackages: readonly string[];

export interface BillOfMaterials {
  metadata: { component: { "bom-ref": string; name: string } };
  components: { "bom-ref": string; name: string; version: string; [more: string]: unknown }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** npm's document with Node, what is bundled into pages, and the demo's flights. */
export declare function completed(
  document: BillOfMaterials,
  packages: string,
  versions: NodeJS.ProcessVersions,
): BillOfMaterials;
