CREATE TABLE `override` (
	`id` text PRIMARY KEY NOT NULL,
	`service` text NOT NULL,
	`patient` text NOT NULL,
	`recorded_at` text NOT NULL,
	`body` blob NOT NULL,
	`reviewed_at` text,
	`review` blob,
	`document` blob
);
--> statement-breakpoint
CREATE INDEX `override_by_patient` ON `override` (`patient`,`recorded_at`);