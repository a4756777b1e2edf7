// Stands in for pica.js where types are checked: its own code is not ours to check.
export class Pica {
  constructor(options: { features: string[] });
  init(): Promise<unknown>;
  resize(from: ImageBitmap | OffscreenCanvas, to: OffscreenCanvas, options: { filter: string }): Promise<OffscreenCanvas>;
}
