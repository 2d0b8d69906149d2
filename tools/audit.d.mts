export interface Verdict {
  status: "good" | "flawed" | "unknown";
  lines: string[];
}
export function auditVerdict(text: string): Verdict;
export function signaturesVerdict(text: string): Verdict;
