import { Broker } from '../../../src/broker/index.ts';
import { MemoryDisk } from '../../../src/disk/index.ts';

/** A broker over a disk that outlives it. */
export async function openBroker(
  disk = new MemoryDisk(),
  options: { loopbackUsers?: readonly string[] } = {},
): Promise<{ broker: Broker; disk: MemoryDisk; reopen: () => Promise<Broker> }> {
  const open = (): Promise<Broker> =>
    Broker.open({
      data: '/access',
      disk,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      ...options,
    });
  const broker = await open();
  return {
    broker,
    disk,
    reopen: async () => {
      await broker.close();
      return open();
    },
  };
}
