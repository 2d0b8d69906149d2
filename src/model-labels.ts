/** What users call items: a label, where it leads, a picture. */

/** Each null where there is none. */
export interface ItemLabel {
  label: string | null;
  /** http or https. */
  url: string | null;
  imageUrl: string | null;
}

/** An item and what it is called. */
export interface LabelledItem extends ItemLabel {
  eventType: string;
  eventId: string;
}

/** What is to be said of one item from now on; what is absent stays as it is, null clears it. */
export interface LabelChange extends Partial<ItemLabel> {
  eventType: string;
  eventId: string;
}

export const labelFields = ["label", "url", "imageUrl"] as const;
