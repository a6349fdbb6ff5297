import type { Registration } from '../handler.ts';
import { accessHandlers } from './access.ts';
import { basicCancel, basicCancelOk, basicConsume } from './basic-consume.ts';
import { basicGet } from './basic-get.ts';
import { basicQos } from './basic-qos.ts';
import {
  basicAck,
  basicNack,
  basicRecover,
  basicRecoverAsync,
  basicReject,
} from './basic-settle.ts';
import { channelHandlers } from './channel.ts';
import { confirmSelect } from './confirm.ts';
import { exchangeHandlers } from './exchange.ts';
import { queueHandlers } from './queue.ts';
import { txCommit, txRollback, txSelect } from './tx.ts';

/** Every method of a channel that is handled, but channel.open and close, basic.publish and most of basic.ack. */
export const registrations: readonly Registration[] = [
  ...accessHandlers,
  ...channelHandlers,
  ...exchangeHandlers,
  ...queueHandlers,
  basicAck,
  basicCancel,
  basicCancelOk,
  basicConsume,
  basicGet,
  basicNack,
  basicQos,
  basicRecover,
  basicRecoverAsync,
  basicReject,
  confirmSelect,
  txCommit,
  txRollback,
  txSelect,
];
