CREATE TABLE `event` (
	`id` text PRIMARY KEY NOT NULL,
	`source` text NOT NULL,
	`kind` text NOT NULL,
	`at` text NOT NULL,
	`patient` text NOT NULL,
	`service` text,
	`state` text NOT NULL,
	`due_at` text,
	`attempts` integer DEFAULT 0 NOT NULL,
	`print` blob NOT NULL,
	`delivery` blob,
	`body` blob
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_once` ON `event` (`print`,`patient`);--> statement-breakpoint
CREATE INDEX `event_delivery` ON `event` (`delivery`);--> statement-breakpoint
CREATE INDEX `event_due` ON `event` (`due_at`) WHERE "event"."state" = 'due';--> statement-breakpoint
CREATE INDEX `event_by_patient` ON `event` (`patient`,`at`);--> statement-breakpoint
CREATE INDEX `event_by_time` ON `event` (`at`);