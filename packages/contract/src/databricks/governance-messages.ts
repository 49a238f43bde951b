/** Transition requests and comments as databricks-sdk (0.156) asks for them. */
import { bool, message, required, string, withDefault } from '../mlflow/message.ts';

const VERSION = { name: required(string), version: required(string) };
const TRANSITION = { ...VERSION, stage: required(string), comment: string };

export const CreateTransitionRequest = message('CreateTransitionRequest', TRANSITION);
export const ListTransitionRequests = message('ListTransitionRequests', VERSION);
export const ApproveTransitionRequest = message('ApproveTransitionRequest', {
  ...TRANSITION,
  archive_existing_versions: withDefault(bool, false),
});
export const RejectTransitionRequest = message('RejectTransitionRequest', TRANSITION);
export const DeleteTransitionRequest = message('DeleteTransitionRequest', { ...TRANSITION, creator: required(string) });

export const CreateComment = message('CreateComment', { ...VERSION, comment: required(string) });
export const UpdateComment = message('UpdateComment', { id: required(string), comment: required(string) });
export const DeleteComment = message('DeleteComment', { id: required(string) });
