// Which test files a run begins with.
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** They take minutes, and few lines: vitest would keep them, by size, for the end. */
const slow = ["test/lake/answers.test.ts", "test/store/lake-deletes.test.ts"].concat(
  "test/kafka/same-tests.test.ts",
);

/** Vitest's own order, with the slow ones first of all. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification) =>
      slow.some((name) => moduleId.endsWith(`/${name}`));
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}
