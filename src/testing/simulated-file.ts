import { assert } from '../base/index.ts';
import { crc32c } from '../bytes/index.ts';
import type { DiskFile, DiskOpenOptions } from '../disk/index.ts';
import type { FileImage } from './file-image.ts';
import { diskError, type SimulatedDevice } from './simulated-device.ts';

/** A handle of a file on a simulated disk. */
export class SimulatedFile implements DiskFile {
  readonly #device: SimulatedDevice;
  readonly #path: string;
  readonly #image: FileImage;
  readonly #isDurable: boolean;
  readonly #isReadOnly: boolean;
  #isClosed = false;

  constructor(device: SimulatedDevice, path: string, image: FileImage, options: DiskOpenOptions) {
    this.#device = device;
    this.#path = path;
    this.#image = image;
    this.#isDurable = options.isDurable === true;
    this.#isReadOnly = options.isReadOnly === true;
    device.retain(image);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#checkWritable('write');
    const crc = crc32c(bytes);
    await this.#device.run(
      {
        perform: () => {
          assert(crc32c(bytes) === crc, 'bytes were changed while they were being written');
          this.#write(bytes, position);
        },
        interrupt: (isPowerLoss) => {
          // After power loss each sector takes its chance; a killed process leaves the first pages of its call.
          const part = isPowerLoss ? bytes : this.#device.somePart(bytes, position);
          const fitting = this.#device.fittingBytes(this.#image, position, part.length);
          this.#image.write(part.subarray(0, fitting), position);
        },
      },
      this.#isDurable,
    );
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#checkOpen('read');
    return this.#device.run({
      perform: () => {
        this.#device.failSometimes(this.#device.faults.readErrorRate, 'read', this.#path);
        return this.#image.read(into, position);
      },
    });
  }

  async sync(): Promise<void> {
    this.#checkOpen('fdatasync');
    const stamp = this.#image.stamp;
    await this.#device.run(
      {
        perform: () => {
          if (this.#device.chance.chance(this.#device.faults.syncErrorRate)) {
            this.#image.failFlush(this.#device.chance, stamp);
            throw diskError('EIO', 'fdatasync', this.#path);
          }
          this.#image.flush(stamp);
        },
      },
      true,
    );
  }

  async truncate(length: number): Promise<void> {
    this.#checkWritable('ftruncate');
    const perform = (): void => this.#image.truncate(length);
    await this.#device.run({
      perform,
      interrupt: () => {
        if (this.#device.chance.chance(0.5)) perform();
      },
    });
  }

  async size(): Promise<number> {
    this.#checkOpen('fstat');
    return this.#device.run({ perform: () => this.#image.size });
  }

  async close(): Promise<void> {
    this.#checkOpen('close');
    this.#isClosed = true;
    await this.#device.run({ perform: () => this.#device.release(this.#image) });
  }

  #write(bytes: Uint8Array, position: number): void {
    const { chance, faults } = this.#device;
    const fitting = this.#device.fittingBytes(this.#image, position, bytes.length);
    if (fitting < bytes.length) {
      this.#image.write(bytes.subarray(0, fitting), position);
      throw diskError('ENOSPC', 'write', this.#path);
    }
    if (chance.chance(faults.writeErrorRate)) {
      this.#image.write(this.#device.somePart(bytes, position), position);
      throw diskError('EIO', 'write', this.#path);
    }
    this.#image.write(bytes, position);
    if (!this.#isDurable) return;
    if (chance.chance(faults.syncErrorRate)) {
      this.#image.failFlush(chance, this.#image.stamp, position, bytes.length);
      throw diskError('EIO', 'write', this.#path);
    }
    this.#image.flushRange(position, bytes.length);
  }

  #checkOpen(call: string): void {
    if (this.#isClosed) throw diskError('EBADF', call, this.#path);
  }

  #checkWritable(call: string): void {
    this.#checkOpen(call);
    if (this.#isReadOnly) throw diskError('EBADF', call, this.#path);
  }
}
