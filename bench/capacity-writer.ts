/** A process of capacity-catalog.ts that commits into the catalog. */
import { catalogWriter } from "./capacity-catalog.ts";

await catalogWriter(process.argv[2]!);
